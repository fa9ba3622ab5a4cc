extension ResourceList {
    /// The URI that stands for recipients who are not shown (RFC 5364 section 4).
    package static let anonymousURI = "sip:anonymous@anonymous.invalid"

    /// The document.
    package func xml() -> [UInt8] {
        var writer = XMLWriter(reserving: 1024)
        writer.declare()
        writer.start(
            "resource-lists", ["xmlns": XMLNamespace.resourceLists, "xmlns:cp": XMLNamespace.copyControl])
        for list in lists { writer.list(list) }
        writer.end("resource-lists")
        return writer.octets
    }

    /// What each of the recipients may know of the others (RFC 5364 section 4): `bcc` left out, the anonymized as
    /// `sip:anonymous@anonymous.invalid` with their count. Nil when nothing is left.
    package static func history(of recipients: [Recipient]) -> ResourceList? {
        var entries: [Entry] = []
        for copy in [Copy.to, .cc] {
            let level = recipients.filter { $0.copy == copy }
            entries += level.filter { !$0.isAnonymized }.map {
                Entry(uri: $0.uri, displayName: $0.displayName, copy: copy)
            }
            let hidden = level.count { $0.isAnonymized }
            if hidden > 0 { entries.append(Entry(uri: anonymousURI, copy: copy, count: hidden)) }
        }
        return entries.isEmpty ? nil : ResourceList(entries)
    }
}

extension XMLWriter {
    fileprivate mutating func list(_ list: ResourceList.List) {
        start("list", ["name": list.name])
        element("display-name", list.displayName)
        for item in list.items {
            switch item {
            case .entry(let entry): self.entry(entry)
            case .list(let inner): self.list(inner)
            case .reference(let reference):
                empty(
                    "external",
                    [
                        "anchor": XMLText.uri(reference.uri), "cp:copyControl": reference.copy?.rawValue,
                        "cp:anonymize": reference.isAnonymized.map { "\($0)" },
                    ])
            }
        }
        end("list")
    }

    private mutating func entry(_ entry: ResourceList.Entry) {
        // RFC 5364's example counts even a single recipient who is not shown.
        let isCounted = entry.count != 1 || entry.uri == ResourceList.anonymousURI
        let attributes: KeyValuePairs<StaticString, String?> = [
            "uri": XMLText.uri(entry.uri), "cp:copyControl": entry.copy.rawValue,
            "cp:anonymize": entry.isAnonymized ? "true" : nil, "cp:count": isCounted ? "\(entry.count)" : nil,
        ]
        guard let name = entry.displayName else { return empty("entry", attributes) }
        start("entry", attributes)
        element("display-name", name)
        end("entry")
    }
}
