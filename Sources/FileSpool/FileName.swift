/// Makes a name that people may be shown, and may save a file under, of what a peer calls its file (RFC 5547 section 10).
package enum FileName {
    /// The longest name, in octets of UTF-8: what file systems take.
    static let longest = 255
    /// What is cut off a long name stands before this much of an extension.
    private static let longestExtension = 16
    /// What a file is called whose name has nothing to keep.
    static let fallback = "file"

    /// The name without what stands before a slash or backslash, without control characters, line separators and marks that
    /// turn the direction of text, at most 255 octets, and never empty, `.` or `..`. Other characters of Unicode stay.
    package static func harmless(_ name: String) -> String {
        let last = name.unicodeScalars.split { $0 == "/" || $0 == "\\" || $0 == "\0" }.last ?? []
        var kept = String.UnicodeScalarView()
        for scalar in last where !isDropped(scalar) { kept.append(scalar) }
        while let first = kept.first, first.properties.isWhitespace { kept.removeFirst() }
        while let end = kept.last, end.properties.isWhitespace { kept.removeLast() }
        let text = shortened(String(kept))
        return text.isEmpty || text == "." || text == ".." ? fallback : text
    }

    private static func isDropped(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        // Controls; marks of direction; line and paragraph separators; embeddings, overrides and isolates; invisible
        // characters that only make names look alike; what XML can't carry.
        case 0..<0x20, 0x7F...0x9F, 0xAD, 0x61C, 0x200B, 0x200E...0x200F, 0x2028...0x202E, 0x2060...0x206F, 0xFEFF,
            0xFFF9...0xFFFF, 0xE0000...0xE007F:
            true
        default: scalar.value & 0xFFFE == 0xFFFE
        }
    }

    /// Cuts between characters, before the extension.
    private static func shortened(_ name: String) -> String {
        guard name.utf8.count > longest else { return name }
        var stem = Substring(name)
        var tail = Substring()
        if let dot = name.lastIndex(of: "."), dot > name.startIndex, name[dot...].utf8.count <= longestExtension {
            stem = name[..<dot]
            tail = name[dot...]
        }
        var size = 0
        let room = longest - tail.utf8.count
        let end = stem.indices.first { index in
            size += stem[index].utf8.count
            return size > room
        }
        return String(stem[..<(end ?? stem.endIndex)] + tail)
    }

    /// The media type that a peer named, without parameters and in lower case; nil when it is none (RFC 2045 section 5.1).
    package static func mediaType(_ text: String?) -> String? {
        guard let text else { return nil }
        let type = text.utf8.prefix { $0 != UInt8(ascii: ";") && $0 != UInt8(ascii: " ") }
        let parts = type.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false)
        guard type.count <= 127, parts.count == 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy(isToken) }) else {
            return nil
        }
        return String(decoding: type, as: UTF8.self).lowercased()
    }

    private static func isToken(_ octet: UInt8) -> Bool {
        octet > 0x20 && octet < 0x7F && !"()<>@,;:\\\"/[]?=".utf8.contains(octet)
    }
}
