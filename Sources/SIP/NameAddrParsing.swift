extension NameAddr {
    /// Parses one value such as `"Bob" <sip:bob@h;transport=tcp>;tag=1` or `sip:bob@h;tag=1`. Without brackets all
    /// parameters belong to the header (RFC 3261 section 20).
    package init?(_ text: some StringProtocol) {
        var rest = Substring(text).trimmingBlanks()
        var name: String?
        if rest.first == "\"" {
            guard let (value, end) = Quoting.unquote(rest) else { return nil }
            name = value
            rest = rest[end...].trimmingBlanks()
            guard rest.first == "<" else { return nil }
        } else if let open = rest.firstIndex(of: "<") {
            name = String(rest[..<open].trimmingBlanks())
            rest = rest[open...]
        }
        if rest.first == "<" {
            guard let close = rest.firstIndex(of: ">"),
                let uri = SIPURI(rest[rest.index(after: rest.startIndex)..<close].trimmingBlanks())
            else { return nil }
            self.uri = uri
            rest = rest[rest.index(after: close)...].trimmingBlanks()
            guard rest.isEmpty || rest.first == ";" else { return nil }
        } else {
            let end = rest.firstIndex(where: { $0 == ";" || $0 == "?" }) ?? rest.endIndex
            guard let uri = SIPURI(rest[..<end].trimmingBlanks()) else { return nil }
            self.uri = uri
            rest = rest[end...]
        }
        displayName = name?.isEmpty == false ? name : nil
        parameters = Parameters.parse(rest)
    }

    /// Parses a comma-separated list of such values; what cannot be parsed is left out.
    package static func list(_ text: some StringProtocol) -> [NameAddr] {
        Quoting.split(Substring(text), at: ",").compactMap { NameAddr($0) }
    }
}

/// Percent escapes of the user part (RFC 3261 section 25.1).
enum Escapes {
    /// nil for an incomplete escape, for `%00`, and for octets that are not UTF-8.
    static func resolve(_ text: Substring) -> String? {
        guard text.utf8.contains(0x25) else { return String(text) }
        var octets: [UInt8] = []
        var iterator = text.utf8.makeIterator()
        while let octet = iterator.next() {
            if octet != 0x25 {
                octets.append(octet)
                continue
            }
            guard let high = iterator.next().flatMap(hexValue), let low = iterator.next().flatMap(hexValue) else {
                return nil
            }
            let value = high << 4 | low
            guard value != 0 else { return nil }
            octets.append(value)
        }
        return String(validating: octets, as: UTF8.self)
    }

    static func escapeUser(_ text: String) -> String {
        if text.utf8.allSatisfy(isPlain) { return text }
        var octets: [UInt8] = []
        for octet in text.utf8 {
            if isPlain(octet) {
                octets.append(octet)
            } else {
                octets += [0x25, hexDigit(octet >> 4), hexDigit(octet & 15)]
            }
        }
        return String(decoding: octets, as: UTF8.self)
    }

    /// unreserved and user-unreserved without `;` and `?`, which old parsers take for the end of the user part.
    private static func isPlain(_ octet: UInt8) -> Bool {
        octet.isLetter || octet.isDigit || "-_.!~*'()&=+$,/".utf8.contains(octet)
    }

    private static func hexValue(_ octet: UInt8) -> UInt8? {
        switch octet {
        case 0x30...0x39: octet - 0x30
        case 0x41...0x46: octet - 0x37
        case 0x61...0x66: octet - 0x57
        default: nil
        }
    }

    private static func hexDigit(_ value: UInt8) -> UInt8 { value < 10 ? 0x30 + value : 0x37 + value }
}

/// `;name=value` lists.
enum Parameters {
    static func parse(_ text: Substring) -> [SIPURI.Parameter] {
        guard !text.isEmpty else { return [] }
        return Quoting.split(text, at: ";").compactMap { item in
            let item = item.trimmingBlanks()
            guard !item.isEmpty else { return nil }
            guard let equals = item.firstIndex(of: "=") else { return .init(String(item)) }
            let name = item[..<equals].trimmingBlanks()
            let value = item[item.index(after: equals)...].trimmingBlanks()
            guard !name.isEmpty else { return nil }
            if value.first == "\"", let (unquoted, end) = Quoting.unquote(value), end == value.endIndex {
                return .init(String(name), unquoted)
            }
            return .init(String(name), String(value))
        }
    }

    static func value(of name: String, in parameters: [SIPURI.Parameter]) -> String? {
        guard let found = parameters.first(where: { $0.name.equalsIgnoringCase(name) }) else { return nil }
        return found.value ?? ""
    }

    static func print(_ parameters: [SIPURI.Parameter]) -> String {
        var text = ""
        for parameter in parameters {
            text += ";\(parameter.name)"
            guard let value = parameter.value else { continue }
            text += "=" + (value.utf8.allSatisfy(isPlain) ? value : Quoting.quote(value))
        }
        return text
    }

    private static func isPlain(_ octet: UInt8) -> Bool {
        octet.isLetter || octet.isDigit || "-_.!~*'()[]:/&+$%`@".utf8.contains(octet)
    }
}

/// Quoted strings (RFC 3261 section 25.1).
enum Quoting {
    static func quote(_ text: String) -> String {
        var result = "\""
        for scalar in text.unicodeScalars where scalar.value >= 0x20 && scalar.value != 0x7f {
            if scalar == "\"" || scalar == "\\" { result.unicodeScalars.append("\\") }
            result.unicodeScalars.append(scalar)
        }
        return result + "\""
    }

    /// The text of the quoted string that `text` begins with, and the index behind it; nil when it has no end.
    static func unquote(_ text: Substring) -> (value: String, end: Substring.Index)? {
        var value = String.UnicodeScalarView()
        let scalars = text.unicodeScalars
        var index = scalars.index(after: scalars.startIndex)
        while index != scalars.endIndex {
            let scalar = scalars[index]
            index = scalars.index(after: index)
            if scalar == "\"" { return (String(value), index) }
            if scalar != "\\" {
                value.append(scalar)
                continue
            }
            guard index != scalars.endIndex else { return nil }
            value.append(scalars[index])
            index = scalars.index(after: index)
        }
        return nil
    }

    /// Splits at a separator outside of quotes and angle brackets.
    static func split(_ text: Substring, at separator: Unicode.Scalar) -> [Substring] {
        var parts: [Substring] = []
        var start = text.startIndex
        var quoted = false
        var escaped = false
        var bracketed = false
        for index in text.unicodeScalars.indices {
            let scalar = text.unicodeScalars[index]
            if escaped {
                escaped = false
            } else if quoted {
                if scalar == "\\" { escaped = true } else if scalar == "\"" { quoted = false }
            } else if scalar == "\"" {
                quoted = true
            } else if scalar == "<" {
                bracketed = true
            } else if scalar == ">" {
                bracketed = false
            } else if scalar == separator && !bracketed {
                parts.append(text[start..<index])
                start = text.unicodeScalars.index(after: index)
            }
        }
        parts.append(text[start...])
        return parts
    }
}

extension Substring {
    func trimmingBlanks() -> Substring {
        var view = utf8
        while let first = view.first, first.isBlank || first == 0x0d || first == 0x0a { view.removeFirst() }
        while let last = view.last, last.isBlank || last == 0x0d || last == 0x0a { view.removeLast() }
        return Substring(view)
    }
}

extension StringProtocol {
    /// ASCII only, as header and parameter names are.
    func equalsIgnoringCase(_ other: some StringProtocol) -> Bool {
        utf8.count == other.utf8.count
            && zip(utf8, other.utf8).allSatisfy { $0 == $1 || ($0 | 0x20 == $1 | 0x20 && $0.isLetter) }
    }
}
