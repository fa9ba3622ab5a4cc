/// One header field to be sent. Line breaks in a value are made blanks, so that no value can add a header.
package struct HeaderField: Sendable, Hashable {
    package let name: String
    package let value: String

    package init(_ name: String, _ value: String) {
        self.name = name
        self.value = value
    }
}

/// The header fields of a received message, as they came.
///
/// Holds the octets once; a field is searched when it is asked for, so a message costs one copy however many of its
/// fields nobody reads. Names ignore case, and compact forms are found by their long names (RFC 3261 section 7.3.3).
package struct HeaderFields: Sendable {
    /// Header lines, each with its line end, folded lines included.
    let octets: [UInt8]

    init(octets: [UInt8]) { self.octets = octets }

    /// The first field of that name, unfolded and without surrounding blanks.
    package subscript(_ name: String) -> String? {
        var found: String?
        forEach { candidate, value in
            guard Self.matches(candidate, name) else { return true }
            found = Self.text(value)
            return false
        }
        return found
    }

    /// All fields of that name in their order.
    package func all(_ name: String) -> [String] {
        var found: [String] = []
        forEach { candidate, value in
            if Self.matches(candidate, name) { found.append(Self.text(value)) }
            return true
        }
        return found
    }

    /// The items of a comma-separated header (Supported, Allow, Require, Accept, ...) over all its fields, trimmed.
    package func items(_ name: String) -> [String] {
        all(name).flatMap { value in
            Quoting.split(Substring(value), at: ",").compactMap {
                let item = $0.trimmingBlanks()
                return item.isEmpty ? nil : String(item)
            }
        }
    }

    package func contains(_ name: String) -> Bool { self[name] != nil }

    /// Whether a token stands in a comma-separated header; ignores case.
    package func contains(_ name: String, token: String) -> Bool {
        items(name).contains { $0.equalsIgnoringCase(token) }
    }

    /// Every field in its order.
    package var fields: [HeaderField] {
        var fields: [HeaderField] = []
        forEach { name, value in
            fields.append(HeaderField(String(decoding: name, as: UTF8.self), Self.text(value)))
            return true
        }
        return fields
    }

    /// Calls `body` with each field's name and raw value until it answers false.
    private func forEach(_ body: (_ name: ArraySlice<UInt8>, _ value: ArraySlice<UInt8>) -> Bool) {
        var index = octets.startIndex
        while index < octets.endIndex {
            // A line that begins with a blank goes on with the one before (RFC 3261 section 7.3.1).
            var end = index
            while end < octets.endIndex {
                guard let feed = octets[end...].firstIndex(of: 0x0a) else {
                    end = octets.endIndex
                    break
                }
                end = feed + 1
                if end < octets.endIndex, !octets[end].isBlank { break }
            }
            let line = octets[index..<end]
            index = end
            guard let colon = line.firstIndex(of: 0x3a) else { continue }
            var name = line[..<colon]
            while let last = name.last, last.isBlank { name.removeLast() }
            if !name.isEmpty, !body(name, line[(colon + 1)...]) { return }
        }
    }

    private static func matches(_ candidate: ArraySlice<UInt8>, _ name: String) -> Bool {
        if candidate.count == 1, let only = candidate.first {
            if let long = longNames[only | 0x20] { return long.equalsIgnoringCase(name) }
        }
        return candidate.count == name.utf8.count
            && zip(candidate, name.utf8).allSatisfy { $0 == $1 || ($0 | 0x20 == $1 | 0x20 && $0.isLetter) }
    }

    private static func text(_ value: ArraySlice<UInt8>) -> String {
        let unfolded = value.map { $0 == 0x0d || $0 == 0x0a ? 0x20 : $0 }
        return String(String(decoding: unfolded, as: UTF8.self)[...].trimmingBlanks())
    }

    /// Compact forms by their letter in lower case (IANA's registry of SIP header fields).
    private static let longNames: [UInt8: String] = [
        UInt8(ascii: "a"): "Accept-Contact", UInt8(ascii: "b"): "Referred-By", UInt8(ascii: "c"): "Content-Type",
        UInt8(ascii: "d"): "Request-Disposition", UInt8(ascii: "e"): "Content-Encoding", UInt8(ascii: "f"): "From",
        UInt8(ascii: "i"): "Call-ID", UInt8(ascii: "j"): "Reject-Contact", UInt8(ascii: "k"): "Supported",
        UInt8(ascii: "l"): "Content-Length", UInt8(ascii: "m"): "Contact", UInt8(ascii: "n"): "Identity-Info",
        UInt8(ascii: "o"): "Event", UInt8(ascii: "r"): "Refer-To", UInt8(ascii: "s"): "Subject",
        UInt8(ascii: "t"): "To", UInt8(ascii: "u"): "Allow-Events", UInt8(ascii: "v"): "Via",
        UInt8(ascii: "x"): "Session-Expires", UInt8(ascii: "y"): "Identity",
    ]
}

/// A message body and its type.
package struct MessageBody: Sendable, Hashable {
    /// The Content-Type's value with its parameters, as written.
    package let contentType: String
    package let content: [UInt8]

    package init(contentType: String, content: [UInt8]) {
        self.contentType = contentType
        self.content = content
    }

    /// An SDP body.
    package init(sdp: String) { self.init(contentType: "application/sdp", content: Array(sdp.utf8)) }

    /// The type and subtype in lower case without parameters, such as `application/sdp`.
    package var mediaType: String {
        let end = contentType.firstIndex(of: ";") ?? contentType.endIndex
        return String(contentType[..<end][...].trimmingBlanks()).lowercased()
    }
}
