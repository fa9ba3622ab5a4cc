/// The scheme and parameters of an authentication header value: `Digest realm="a", nonce=b`.
///
/// Liberal in what it takes: parameters quoted or not, blanks or none after commas, any case, unknown ones kept.
package struct AuthParameters: Equatable, Sendable {
    /// As written.
    package var scheme: String
    /// In order, names in lower case, values without quotes and escapes.
    package private(set) var list: [(name: String, value: String)]

    /// More than any honest header has; what goes beyond makes the value unreadable.
    package static let mostParameters = 40

    /// Reads a header value; nil when it has no scheme or can't be understood.
    package init?(_ value: String) { self.init(Array(value.utf8)) }

    /// The same of octets.
    package init?(_ octets: UnsafeRawBufferPointer) { self.init(Array(octets)) }

    private init?(_ octets: [UInt8]) {
        var reader = Reader(bytes: octets)
        reader.skipBlanks()
        let scheme = reader.token()
        guard !scheme.isEmpty else { return nil }
        self.scheme = scheme
        list = []
        while true {
            reader.skipBlanksAndCommas()
            if reader.isAtEnd { return }
            let name = reader.token()
            reader.skipBlanks()
            guard !name.isEmpty, reader.take(UInt8(ascii: "=")), list.count < Self.mostParameters else { return nil }
            reader.skipBlanks()
            guard let value = reader.value() else { return nil }
            list.append((name.lowercased(), value))
        }
    }

    package var isDigest: Bool { scheme.lowercased() == "digest" }

    /// The first parameter of that name (lower case).
    package subscript(name: String) -> String? { list.first { $0.name == name }?.value }

    package static func == (left: Self, right: Self) -> Bool {
        left.scheme == right.scheme && left.list.elementsEqual(right.list) { $0 == $1 }
    }

    /// Writes what stands between the quotes of a quoted string.
    static func appendEscaped(_ value: String, to text: inout String) {
        guard value.utf8.contains(where: { $0 == UInt8(ascii: "\"") || $0 == UInt8(ascii: "\\") || $0 < 0x20 }) else {
            text += value
            return
        }
        for scalar in value.unicodeScalars {
            if scalar == "\"" || scalar == "\\" { text.unicodeScalars.append("\\") }
            // A line end would let the value break out of its header.
            if scalar.value >= 0x20 { text.unicodeScalars.append(scalar) }
        }
    }

    private struct Reader {
        let bytes: [UInt8]
        var at = 0

        var isAtEnd: Bool { at >= bytes.count }

        private static func isBlank(_ byte: UInt8) -> Bool {
            byte == 0x20 || byte == 0x09 || byte == 0x0D || byte == 0x0A
        }

        private static func isDelimiter(_ byte: UInt8) -> Bool {
            byte == UInt8(ascii: ",") || byte == UInt8(ascii: "=") || byte == UInt8(ascii: "\"")
        }

        mutating func skipBlanks() {
            while at < bytes.count, Self.isBlank(bytes[at]) { at += 1 }
        }

        mutating func skipBlanksAndCommas() {
            while at < bytes.count, Self.isBlank(bytes[at]) || bytes[at] == UInt8(ascii: ",") { at += 1 }
        }

        mutating func take(_ byte: UInt8) -> Bool {
            guard at < bytes.count, bytes[at] == byte else { return false }
            at += 1
            return true
        }

        /// Up to a blank, comma, equals sign or quote.
        mutating func token() -> String {
            let start = at
            while at < bytes.count, !Self.isBlank(bytes[at]), !Self.isDelimiter(bytes[at]) { at += 1 }
            return String(decoding: bytes[start..<at], as: UTF8.self)
        }

        /// A quoted string without its quotes, or all up to a blank or comma (an unquoted nonce may end in `=`).
        mutating func value() -> String? {
            guard take(UInt8(ascii: "\"")) else {
                let start = at
                while at < bytes.count, !Self.isBlank(bytes[at]), bytes[at] != UInt8(ascii: ",") { at += 1 }
                return String(decoding: bytes[start..<at], as: UTF8.self)
            }
            // Up to the first escape, usually all of it, nothing is copied but once.
            let start = at
            while at < bytes.count, bytes[at] != UInt8(ascii: "\""), bytes[at] != UInt8(ascii: "\\") { at += 1 }
            if take(UInt8(ascii: "\"")) { return String(decoding: bytes[start..<at - 1], as: UTF8.self) }
            var text = Array(bytes[start..<at])
            while at < bytes.count {
                let byte = bytes[at]
                at += 1
                if byte == UInt8(ascii: "\"") { return String(decoding: text, as: UTF8.self) }
                if byte == UInt8(ascii: "\\"), at < bytes.count {
                    text.append(bytes[at])
                    at += 1
                } else {
                    text.append(byte)
                }
            }
            return nil
        }
    }
}
