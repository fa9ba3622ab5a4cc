/// Names of files as they travel, and what is left of them on our disk.
package enum FileName {
    /// Octets of a name that we write; file systems take 255, and `.part` and a number come behind it.
    static let longest = 200
    /// For files that come without a name that can be used.
    package static let unnamed = "received-file"

    /// A name that stays in its folder and is seen as what it is: the last part of a path, without control characters, and
    /// without a dot, a hyphen or blanks at its start or dots and blanks at its end.
    package static func sanitised(_ name: String?) -> String {
        guard let name else { return unnamed }
        var result = ""
        for scalar in (name.split { $0 == "/" || $0 == "\\" }.last ?? "").unicodeScalars {
            switch scalar.properties.generalCategory {
            // Formatting characters could show another name than the one written (right-to-left overrides).
            case .control, .format, .lineSeparator, .paragraphSeparator, .surrogate, .privateUse, .unassigned: continue
            default: result.unicodeScalars.append("<>:\"|?*".unicodeScalars.contains(scalar) ? "_" : scalar)
            }
        }
        while let first = result.first, first == "." || first == "-" || first.isWhitespace { result.removeFirst() }
        while let last = result.last, last == "." || last.isWhitespace { result.removeLast() }
        guard !result.isEmpty else { return unnamed }
        // Those are our own, for files that are not complete.
        if result.lowercased().hasSuffix(".part") { result += "_" }
        if result.utf8.count > longest {
            let (stem, suffix) = parts(of: result)
            let kept = suffix.utf8.count <= 20 ? suffix : ""
            var shortened = kept.isEmpty ? result : stem
            while shortened.utf8.count > longest - kept.utf8.count { shortened.removeLast() }
            result = shortened + kept
        }
        return result
    }

    /// The name with a number in it: `photo-1.jpeg`; number 0 is the name itself.
    static func numbered(_ name: String, _ number: Int) -> String {
        guard number > 0 else { return name }
        let (stem, suffix) = parts(of: name)
        return "\(stem)-\(number)\(suffix)"
    }

    /// The name of a further file of that name: `photo (1).jpeg`; number 0 is the name itself.
    static func copy(_ name: String, _ number: Int) -> String {
        guard number > 0 else { return name }
        let (stem, suffix) = parts(of: name)
        return "\(stem) (\(number))\(suffix)"
    }

    private static func parts(of name: String) -> (stem: String, suffix: String) {
        guard let dot = name.lastIndex(of: "."), dot > name.startIndex else { return (name, "") }
        return (String(name[..<dot]), String(name[dot...]))
    }
}

/// What a Content-Disposition header (RFC 2183, RFC 6266) says of a file.
package struct ContentDisposition: Sendable, Equatable {
    package var filename: String?
    package var size: UInt64?

    package init(filename: String?, size: UInt64?) {
        self.filename = filename
        self.size = size
    }

    /// Liberal: what can't be understood is left out.
    package init(parsing value: String) {
        for (name, text) in Self.parameters(value) {
            switch name {
            case "filename*":
                // RFC 8187: it wins over the plain form.
                if let decoded = Self.decodeExtended(text) { filename = decoded }
            case "filename": if filename == nil { filename = text }
            case "size": size = UInt64(text)
            default: break
            }
        }
    }

    /// `attachment` with the name in both forms where it is not plain ASCII.
    package var headerValue: String {
        var text = "attachment"
        if let filename {
            let isPlain = filename.utf8.allSatisfy { $0 >= 0x20 && $0 < 0x7F }
            let plain = String(
                filename.unicodeScalars.map { $0.value >= 0x20 && $0.value < 0x7F ? Character($0) : "_" })
            text += "; filename=\"\(plain.replacing("\\", with: "\\\\").replacing("\"", with: "\\\""))\""
            if !isPlain { text += "; filename*=UTF-8''\(Self.encodeExtended(filename))" }
        }
        if let size { text += "; size=\(size)" }
        return text
    }

    private static func parameters(_ value: String) -> [(String, String)] {
        var result: [(String, String)] = []
        var name = ""
        var text = ""
        var isInName = true
        var isQuoted = false
        var isEscaped = false
        func close() {
            let key = name.filter { !$0.isWhitespace }.lowercased()
            if !isInName, !key.isEmpty {
                result.append((key, text))
            }
            (name, text, isInName) = ("", "", true)
        }
        for character in value {
            if isEscaped {
                text.append(character)
                isEscaped = false
            } else if isQuoted {
                if character == "\\" {
                    isEscaped = true
                } else if character == "\"" {
                    isQuoted = false
                } else {
                    text.append(character)
                }
            } else if character == ";" {
                close()
            } else if isInName {
                if character == "=" { isInName = false } else { name.append(character) }
            } else if character == "\"" {
                isQuoted = true
            } else if !character.isWhitespace {
                text.append(character)
            }
        }
        close()
        return result
    }

    private static func decodeExtended(_ text: String) -> String? {
        let parts = text.split(separator: "'", maxSplits: 2, omittingEmptySubsequences: false)
        guard parts.count == 3, parts[0].lowercased() == "utf-8" else { return nil }
        var octets: [UInt8] = []
        var rest = Array(parts[2].utf8)[...]
        while let octet = rest.popFirst() {
            guard octet == UInt8(ascii: "%") else {
                octets.append(octet)
                continue
            }
            guard rest.count >= 2, let value = UInt8(String(decoding: rest.prefix(2), as: UTF8.self), radix: 16) else {
                return nil
            }
            octets.append(value)
            rest = rest.dropFirst(2)
        }
        return String(validating: octets, as: UTF8.self)
    }

    private static func encodeExtended(_ text: String) -> String {
        var result = ""
        for octet in text.utf8 {
            let character = Character(UnicodeScalar(octet))
            if octet < 0x80, character.isLetter || character.isNumber || "-._~!#$&+^`|".contains(character) {
                result.append(character)
            } else {
                result += "%" + (octet < 16 ? "0" : "") + String(octet, radix: 16, uppercase: true)
            }
        }
        return result
    }
}
