/// Which octets of a file are meant, a=file-range (RFC 5547 section 6): counted from 1, both ends inclusive.
package struct FileRange: Sendable, Hashable {
    package var start: UInt64
    /// Nil, `*`: to the end.
    package var stop: UInt64?

    /// Nil for a range that holds no octet.
    package init?(start: UInt64, stop: UInt64?) {
        guard start >= 1, stop.map({ $0 >= start }) ?? true else { return nil }
        self.start = start
        self.stop = stop
    }

    package init?(parsing value: String) {
        let parts = ASCII.trimmed(Array(value.utf8)[...]).split(
            separator: UInt8(ascii: "-"), omittingEmptySubsequences: false)
        guard parts.count == 2, let start = ASCII.decimal(parts[0]) else { return nil }
        if parts[1].elementsEqual("*".utf8) {
            self.init(start: start, stop: nil)
        } else {
            guard let stop = ASCII.decimal(parts[1]) else { return nil }
            self.init(start: start, stop: stop)
        }
    }

    package var value: String { "\(start)-\(stop.map { "\($0)" } ?? "*")" }

    /// Whether that is all of a file of `size` octets.
    package func isWhole(of size: UInt64?) -> Bool { start == 1 && (stop == nil || stop == size) }
}

/// When a file was made, changed and read, a=file-date (RFC 5547 section 6).
package struct FileDate: Sendable, Hashable {
    package var creation: MailDate?
    package var modification: MailDate?
    package var read: MailDate?

    package init(creation: MailDate? = nil, modification: MailDate? = nil, read: MailDate? = nil) {
        self.creation = creation
        self.modification = modification
        self.read = read
    }

    package var isEmpty: Bool { creation == nil && modification == nil && read == nil }

    /// What is no date is left out; of two of a kind the first counts.
    package init(parsing value: String) {
        var rest = Array(value.utf8)[...]
        while true {
            rest = rest.drop(while: ASCII.isBlank)
            let key = rest.prefix { $0 != UInt8(ascii: ":") }
            rest = rest.dropFirst(key.count + 1)
            guard rest.popFirst() == ASCII.quote else { return }
            let text = rest.prefix { $0 != ASCII.quote }
            rest = rest.dropFirst(text.count + 1)
            let date = MailDate(parsing: String(decoding: text, as: UTF8.self))
            switch ASCII.lowercased(String(decoding: key, as: UTF8.self)) {
            case "creation": creation = creation ?? date
            case "modification": modification = modification ?? date
            case "read": read = read ?? date
            default: break
            }
        }
    }

    package var value: String {
        [("creation", creation), ("modification", modification), ("read", read)].compactMap { name, date in
            date.map { "\(name):\"\($0.value)\"" }
        }.joined(separator: " ")
    }
}

/// All that an m= line says of a file (RFC 5547 section 6). Which file is `selector`; the rest may be absent.
package struct FileDescription: Sendable, Hashable {
    /// Octets of an a=file-transfer-id that is taken.
    static let transferIDOctets = 256

    package var selector: FileSelector
    /// Of two exchanges it says whether they mean one transfer (RFC 5547 section 8.1). Nil where an older client left it out.
    package var transferID: String?
    /// `render` or `attachment`, or another one of the registry; nil: none was written, which means `render`.
    package var disposition: String?
    package var date: FileDate?
    /// The Content-ID of a small picture that comes with the description (RFC 5547 section 8.8).
    package var icon: String?
    /// Nil: the whole file.
    package var range: FileRange?
    /// Blink's a=x-file-offset: its writer asks, or can be asked, by FILE_OFFSET how much is there already.
    package var knowsOffset: Bool
    /// The value of a=file-selector as it came.
    var written: [UInt8]?

    package init(
        selector: FileSelector, transferID: String? = nil, disposition: String? = nil, date: FileDate? = nil,
        icon: String? = nil, range: FileRange? = nil, knowsOffset: Bool = false
    ) {
        self.selector = selector
        self.transferID = transferID
        self.disposition = disposition
        self.date = date
        self.icon = icon
        self.range = range
        self.knowsOffset = knowsOffset
    }

    /// - Throws: 488 for a line without a file-selector, or with one, a file-transfer-id or a file-range that cannot be read.
    init(_ medium: MediaDescription) throws(Refusal) {
        guard let line = medium.lines.first(where: { $0.isAttribute("file-selector") }) else { throw .noFileSelector }
        let written = Array(line.octets.drop { $0 != UInt8(ascii: ":") }.dropFirst())
        guard let selector = FileSelector(parsing: written) else { throw .badFileSelector }
        guard !selector.isEmpty else { throw .noFileSelector }
        self.init(selector: selector)
        self.written = written
        if let id = medium.attribute("file-transfer-id") {
            let octets = ASCII.trimmed(Array(id.utf8)[...])
            guard !octets.isEmpty, octets.count <= Self.transferIDOctets, octets.allSatisfy(ASCII.isVisible) else {
                throw .badTransferID
            }
            transferID = String(decoding: octets, as: UTF8.self)
        }
        if let value = medium.attribute("file-range") {
            guard let range = FileRange(parsing: value) else { throw .badFileRange }
            self.range = range
        }
        disposition = medium.attribute("file-disposition").flatMap { value in
            ASCII.isToken(value.utf8) && value.utf8.count <= MediaDescription.tokenOctets
                ? ASCII.lowercased(value) : nil
        }
        date = medium.attribute("file-date").map { FileDate(parsing: $0) }.flatMap { $0.isEmpty ? nil : $0 }
        icon = medium.attribute("file-icon").flatMap(Self.contentID)
        knowsOffset = medium.hasAttribute("x-file-offset")
    }

    /// `cid:id2@example.com` (RFC 2392): the Content-ID without its angle brackets.
    private static func contentID(_ value: String) -> String? {
        let octets = Array(value.utf8)
        guard octets.count > 4, octets.count <= FileSelector.octets,
            ASCII.equalIgnoringCase(octets.prefix(4), "cid:".utf8)
        else { return nil }
        return FileText.decoded(octets[4...])
    }

    /// The lines to write; sendonly or recvonly is written elsewhere.
    var lines: [SDPLine] {
        var lines: [SDPLine] = []
        let value = written ?? Array(selector.value.utf8)
        lines.append(SDPLine(type: UInt8(ascii: "a"), octets: Array("file-selector:".utf8) + value))
        if let transferID { lines.append(.attribute("file-transfer-id", transferID)) }
        if let disposition { lines.append(.attribute("file-disposition", disposition)) }
        if let date { lines.append(.attribute("file-date", date.value)) }
        if let range { lines.append(.attribute("file-range", range.value)) }
        if knowsOffset { lines.append(.attribute("x-file-offset")) }
        return lines
    }

    /// The file attributes that a refused line keeps: the selector and the id as they came (RFC 5547 section 8.3).
    static func refused(_ offered: MediaDescription) -> [SDPLine] {
        ["file-selector", "file-transfer-id"].compactMap { name in
            offered.lines.first { $0.isAttribute(name) && $0.octets.count <= FileSelector.octets }
        }
    }
}
