/// A multipart/mixed body (RFC 2046), written and read.
package struct MultipartBody: Sendable {
    package var boundary = "boundary1"
    /// Header lines and content of each part.
    package var parts: [(fields: String, content: String)] = []

    package init() {}

    package var type: String { "multipart/mixed;boundary=\"\(boundary)\"" }

    package var text: String {
        parts.map { "--\(boundary)\r\n\($0.fields)\r\n\($0.content)\r\n" }.joined() + "--\(boundary)--\r\n"
    }

    /// An offer and a list of people to be called (RFC 5366 section 4).
    package static func invitation(_ offer: String, _ list: ResourceListText) -> MultipartBody {
        var body = MultipartBody()
        body.parts = [
            ("Content-Type: application/sdp\r\n", offer),
            (
                "Content-Type: application/resource-lists+xml\r\nContent-Disposition: recipient-list\r\n", list.text
            ),
        ]
        return body
    }
}

/// A resource list (RFC 4826) with copyControl (RFC 5364).
package struct ResourceListText: Sendable {
    /// Attributes beside `uri` are written as they stand.
    package var entries: [(uri: String, attributes: String)]
    /// Elements that follow the entries.
    package var further = ""

    package init(_ uris: [String]) {
        entries = uris.map { ($0, "") }
    }

    package init(entries: [(uri: String, attributes: String)]) {
        self.entries = entries
    }

    package var text: String {
        """
        <?xml version="1.0" encoding="UTF-8"?>\r
        <resource-lists xmlns="urn:ietf:params:xml:ns:resource-lists" xmlns:cp="urn:ietf:params:xml:ns:copyControl">\r
        <list>\r

        """ + entries.map { "<entry uri=\"\($0.uri)\" \($0.attributes)/>\r\n" }.joined() + further
            + "</list>\r\n</resource-lists>\r\n"
    }
}

extension SIPMessage {
    /// The body when it is of this type, else the first part of this type; nil when there is none.
    package func part(_ type: String, disposition: String? = nil) -> String? {
        let own = (self["Content-Type"] ?? "").lowercased()
        if own.hasPrefix(type) { return bodyText }
        guard own.hasPrefix("multipart/"), let boundary = Self.parameter("boundary", of: self["Content-Type"] ?? "")
        else { return nil }
        let mark = "--" + boundary.filter { $0 != "\"" }
        var parts = [[String]]()
        var current: [String]?
        for line in bodyText.split(separator: "\r\n", omittingEmptySubsequences: false).map(String.init) {
            if line == mark || line == mark + "--" {
                if let current { parts.append(current) }
                current = line == mark ? [] : nil
            } else {
                current?.append(line)
            }
        }
        for lines in parts {
            let head = lines.prefix { !$0.isEmpty }.map { $0.lowercased() }
            guard head.contains(where: { $0.hasPrefix("content-type:") && $0.contains(type) }) else { continue }
            if let disposition,
                !head.contains(where: { $0.hasPrefix("content-disposition:") && $0.contains(disposition) })
            {
                continue
            }
            return lines.dropFirst(head.count + 1).map { $0 + "\r\n" }.joined()
        }
        return nil
    }
}
