/// Which file is meant, a=file-selector (RFC 5547 sections 5 and 6): what is named of it, and no more.
package struct FileSelector: Sendable, Hashable {
    /// Octets of an attribute's value that is read at all; it is repeated in answers.
    package static let octets = 4_096
    /// hash selectors that are kept.
    static let hashLimit = 8

    /// As people see it, with nothing escaped: it may be anything, a path too.
    package var name: String?
    /// With its parameters.
    package var type: ContentType?
    /// Octets.
    package var size: UInt64?
    package var hashes: [FileHash]

    package init(name: String? = nil, type: ContentType? = nil, size: UInt64? = nil, hashes: [FileHash] = []) {
        self.name = name
        self.type = type
        self.size = size
        self.hashes = hashes
    }

    /// Without any selector it only says that its writer knows file transfer (RFC 5547 section 8.5).
    package var isEmpty: Bool { name == nil && type == nil && size == nil && hashes.isEmpty }

    /// The digest by a hash function; nil when it was not said.
    package func digest(_ algorithm: String) -> [UInt8]? { hashes.first { $0.algorithm == algorithm }?.digest }

    /// Whether both may mean one file: nothing that both say differs.
    package func agrees(with other: FileSelector) -> Bool {
        func same<Value: Equatable>(_ left: Value?, _ right: Value?) -> Bool {
            left == nil || right == nil || left == right
        }
        return same(name, other.name) && same(type?.essence, other.type?.essence) && same(size, other.size)
            && hashes.allSatisfy { same($0.digest, other.digest($0.algorithm)) }
    }

    // MARK: Reading

    /// Liberal: selectors in any order and letters, names without quotes, a percent sign that escapes nothing,
    /// digits of a hash in either case. Selectors that are unknown are passed over; of two of a kind, hashes aside, the first counts.
    ///
    /// - Returns: nil for what is too long, or says a size or a hash that is none.
    package init?(parsing value: some Collection<UInt8>) {
        guard value.count <= Self.octets else { return nil }
        self.init()
        var rest = Array(value)[...]
        while true {
            rest = rest.drop(while: ASCII.isBlank)
            if rest.isEmpty { return }
            let key = rest.prefix { $0 != UInt8(ascii: ":") && !ASCII.isBlank($0) }
            rest = rest.dropFirst(key.count)
            guard rest.first == UInt8(ascii: ":") else { continue }
            rest = rest.dropFirst()
            let value = Self.takeValue(&rest)
            switch ASCII.lowercased(String(decoding: key, as: UTF8.self)) {
            case "name" where name == nil: name = FileText.decoded(FileText.unquoted(value))
            case "type" where type == nil: type = Self.type(value)
            case "size" where size == nil:
                guard let number = ASCII.decimal(value) else { return nil }
                size = number
            case "hash":
                guard let hash = FileHash(parsing: value) else { return nil }
                if hashes.count < Self.hashLimit { hashes.append(hash) }
            default: break
            }
        }
    }

    /// To the next blank that is not in quotes.
    private static func takeValue(_ rest: inout ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        let start = rest
        var isQuoted = false
        while let octet = rest.first, isQuoted || !ASCII.isBlank(octet) {
            if octet == ASCII.quote { isQuoted.toggle() }
            rest = rest.dropFirst()
        }
        return start[start.startIndex..<rest.startIndex]
    }

    private static func type(_ value: ArraySlice<UInt8>) -> ContentType? {
        guard var type = ContentType(parsing: value) else { return nil }
        for index in type.parameters.indices {
            type.parameters[index].value = FileText.decoded(Array(type.parameters[index].value.utf8)[...]) ?? ""
        }
        type.parameters.removeAll(where: \.value.isEmpty)
        return type
    }

    // MARK: Writing

    /// The attribute's value, in the order of the RFC's examples; empty for no selector.
    package var value: String {
        var selectors: [String] = []
        if let name, !name.isEmpty { selectors.append("name:\"\(FileText.encoded(name))\"") }
        if let type {
            let parameters = type.parameters.map { ";\($0.name)=\"\(FileText.encoded($0.value))\"" }
            selectors.append("type:\(type.essence)\(parameters.joined())")
        }
        if let size { selectors.append("size:\(size)") }
        selectors += hashes.map(\.selector)
        return selectors.joined(separator: " ")
    }
}

/// A file's digest: a hash selector (RFC 5547 section 6).
package struct FileHash: Sendable, Hashable {
    /// Octets of the longest digest that is kept.
    static let digestLimit = 64

    /// Lower-cased: `sha-1`, `sha-256`, or another one.
    package let algorithm: String
    package let digest: [UInt8]

    package init(_ algorithm: String, _ digest: [UInt8]) {
        self.algorithm = ASCII.lowercased(algorithm)
        self.digest = digest
    }

    /// `algorithm:AA:BB:...`. Nil for what is none: SHA-1 and SHA-256 have digests of one length.
    package init?(parsing value: some Collection<UInt8>) {
        let parts = value.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard parts.count > 1, parts.count <= Self.digestLimit + 1, let first = parts.first, ASCII.isToken(first) else {
            return nil
        }
        var digest: [UInt8] = []
        for pair in parts.dropFirst() {
            guard pair.count == 2, let high = pair.first.flatMap(ASCII.hexValue),
                let low = pair.dropFirst().first.flatMap(ASCII.hexValue)
            else { return nil }
            digest.append(high << 4 | low)
        }
        var algorithm = ASCII.lowercased(String(decoding: first, as: UTF8.self))
        // As some write it.
        if algorithm == "sha1" || algorithm == "sha256" { algorithm = "sha-" + algorithm.dropFirst(3) }
        if let length = Fingerprint.Hash(rawValue: algorithm)?.length, length != digest.count { return nil }
        self.init(algorithm, digest)
    }

    /// `sha-1:72:24:...`, in upper case as the grammar wants.
    package var value: String {
        let digits = Array("0123456789ABCDEF".utf8)
        var text = Array(algorithm.utf8)
        for octet in digest {
            text.append(UInt8(ascii: ":"))
            text.append(digits[Int(octet >> 4)])
            text.append(digits[Int(octet & 15)])
        }
        return String(decoding: text, as: UTF8.self)
    }

    var selector: String { "hash:\(value)" }
}

/// `filename-string` (RFC 5547 section 6): UTF-8 with some octets escaped by `%` and two digits.
enum FileText {
    /// Without the quotes around it; without the one that has no end.
    static func unquoted(_ value: ArraySlice<UInt8>) -> ArraySlice<UInt8> {
        guard value.first == ASCII.quote else { return value }
        return value.dropFirst().prefix { $0 != ASCII.quote }
    }

    /// Nil for nothing. What is not UTF-8 is replaced.
    static func decoded(_ octets: ArraySlice<UInt8>) -> String? {
        guard !octets.isEmpty else { return nil }
        var output: [UInt8] = []
        var rest = octets
        while let octet = rest.popFirst() {
            if octet == UInt8(ascii: "%"), let high = rest.first.flatMap(ASCII.hexValue),
                let low = rest.dropFirst().first.flatMap(ASCII.hexValue)
            {
                output.append(high << 4 | low)
                rest = rest.dropFirst(2)
            } else {
                output.append(octet)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    /// Escaped: what the grammar forbids, what separates folders, and control characters.
    static func encoded(_ text: String) -> String {
        let digits = Array("0123456789ABCDEF".utf8)
        var output: [UInt8] = []
        for octet in text.utf8 {
            switch octet {
            case 0..<0x20, 0x7F, ASCII.quote, UInt8(ascii: "%"), UInt8(ascii: "/"), ASCII.backslash:
                output += [UInt8(ascii: "%"), digits[Int(octet >> 4)], digits[Int(octet & 15)]]
            default: output.append(octet)
            }
        }
        return String(decoding: output, as: UTF8.self)
    }
}
