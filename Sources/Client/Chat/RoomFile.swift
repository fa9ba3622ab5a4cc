package import Payloads

/// A file that can be had from the room, as the room tells of it.
package struct RoomFile: Equatable, Sendable {
    /// As its sender called it; `FileName.sanitised` makes a name for the disk of it.
    package var name: String
    /// Such as `image/jpeg`.
    package var type: String?
    /// Octets.
    package var size: UInt64?
    /// SHA-1, SHA-256 or both; without one it can't be asked for.
    package var hashes: [Fingerprint]
    /// The URI of who sent it.
    package var sender: String?

    package init(
        name: String, type: String? = nil, size: UInt64? = nil, hashes: [Fingerprint], sender: String? = nil
    ) {
        self.name = name
        self.type = type
        self.size = size
        self.hashes = hashes
        self.sender = sender
    }

    /// The hash that is hardest to feign.
    package var bestHash: Fingerprint? { hashes.max { $0.hash.length < $1.hash.length } }

    /// Reads the value of the `confd.File` header as it stands in the message, before CPIM's escapes are resolved:
    /// `name="a.txt"; type=text/plain; size=6; sha-1=AA:BB; sha-256=CC:DD; sender=<sip:alice@example.com>`.
    ///
    /// Nil when it has no name or no hash.
    package init?(parsing value: some Collection<UInt8>) {
        var name: String?
        var file = RoomFile(name: "", hashes: [])
        for (key, text) in Self.parameters(Array(value)) {
            switch key {
            case "name": name = CPIMEscape.unescaped(Array(text)[...])
            case "type": file.type = String(decoding: text, as: UTF8.self)
            case "size": file.size = UInt64(String(decoding: text, as: UTF8.self))
            case "sha-1", "sha-256":
                let line = "\(key) \(String(decoding: text, as: UTF8.self))"
                if case .fingerprint(let hash) = Fingerprint.parse(line), file.hashes.count < 2 {
                    file.hashes.append(hash)
                }
            case "sender":
                file.sender = String(decoding: text, as: UTF8.self)
            default: break
            }
        }
        guard let name, !name.isEmpty, !file.hashes.isEmpty else { return nil }
        file.name = name
        self = file
    }

    /// `key=value` parts between semicolons; a value may be in quotes or angle brackets, which are taken off.
    private static func parameters(_ octets: [UInt8]) -> [(key: String, value: ArraySlice<UInt8>)] {
        var result: [(String, ArraySlice<UInt8>)] = []
        var rest = octets[...]
        func skipBlanks() { rest = rest.drop { $0 == 0x20 || $0 == 0x09 } }
        while !rest.isEmpty {
            skipBlanks()
            let key = rest.prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
            rest = rest[key.endIndex...]
            guard rest.first == UInt8(ascii: "=") else {
                rest = rest.dropFirst()
                continue
            }
            rest = rest.dropFirst()
            skipBlanks()
            var value = rest[rest.startIndex..<rest.startIndex]
            switch rest.first {
            case UInt8(ascii: "\""):
                var end = rest.startIndex + 1
                while end < rest.endIndex, rest[end] != UInt8(ascii: "\"") {
                    end += rest[end] == UInt8(ascii: "\\") ? 2 : 1
                }
                end = min(end, rest.endIndex)
                value = rest[(rest.startIndex + 1)..<end]
                rest = rest[end...].dropFirst()
            case UInt8(ascii: "<"):
                value = rest.dropFirst().prefix { $0 != UInt8(ascii: ">") }
                rest = rest[value.endIndex...].dropFirst()
            default:
                value = rest.prefix { $0 != UInt8(ascii: ";") }
                rest = rest[value.endIndex...]
                while let last = value.last, last == 0x20 || last == 0x09 { value = value.dropLast() }
            }
            result.append((String(decoding: key, as: UTF8.self).trimmedBlanks.lowercased(), value))
            rest = rest.drop { $0 != UInt8(ascii: ";") }.dropFirst()
        }
        return result
    }
}

extension RoomFile {
    /// As the roster lists it; nil for one whose hash can't be used.
    init?(_ file: ConferenceInfo.File) {
        guard let colon = file.hash.firstIndex(of: ":"),
            case .fingerprint(let hash) = Fingerprint.parse(
                "\(file.hash[..<colon]) \(file.hash[file.hash.index(after: colon)...])"),
            !file.name.isEmpty
        else { return nil }
        self.init(name: file.name, size: file.size, hashes: [hash], sender: file.sender)
    }

    /// The same octets under the same name; one of the two may know only one of the hashes.
    func isSame(as other: RoomFile) -> Bool {
        guard name == other.name else { return false }
        let common = hashes.filter { own in other.hashes.contains { $0.hash == own.hash } }
        return !common.isEmpty && common.allSatisfy { other.hashes.contains($0) }
    }

    /// Takes over what only the other knows.
    mutating func merge(_ other: RoomFile) {
        hashes += other.hashes.filter { theirs in !hashes.contains { $0.hash == theirs.hash } }
        type = type ?? other.type
        size = size ?? other.size
        sender = sender ?? other.sender
    }
}
