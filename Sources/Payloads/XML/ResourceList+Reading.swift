extension ResourceList {
    /// - Throws: `XMLError`.
    package init(parsing octets: some Collection<UInt8>, limits: XMLLimits = XMLLimits()) throws(XMLError) {
        try self.init(parsing: octets, limits: limits, control: CopyControl())
    }

    fileprivate init(
        parsing octets: some Collection<UInt8>, limits: XMLLimits, control: CopyControl
    ) throws(XMLError) {
        let root = try XMLDocument(
            parsing: octets, root: "resource-lists", in: XMLNamespace.resourceLists, limits: limits
        ).root
        lists = []
        for list in root.children("list") { lists.append(try List(reading: list, inheriting: control)) }
    }
}

/// The attributes of RFC 5364: those of a list or a reference hold for the entries in it that have none.
private struct CopyControl {
    var copy: ResourceList.Copy?
    var isAnonymized: Bool?

    init(copy: ResourceList.Copy? = nil, isAnonymized: Bool? = nil) {
        self.copy = copy
        self.isAnonymized = isAnonymized
    }

    init(of element: XMLElement, inheriting outer: CopyControl) throws(XMLError) {
        self = outer
        if let text = Self.attribute("copyControl", of: element) {
            guard let copy = ResourceList.Copy(rawValue: XMLText.trimmed(text)) else {
                throw .unexpected("copyControl")
            }
            self.copy = copy
        }
        if let text = Self.attribute("anonymize", of: element) {
            guard let flag = XMLText.boolean(text) else { throw .unexpected("anonymize") }
            isAnonymized = flag
        }
    }

    static func attribute(_ name: String, of element: XMLElement) -> String? {
        element.attribute(name, in: XMLNamespace.copyControl)
            ?? element.attribute(name, in: XMLNamespace.copyControlMisspelt)
    }
}

extension ResourceList.List {
    fileprivate init(reading element: XMLElement, inheriting outer: CopyControl) throws(XMLError) {
        let control = try CopyControl(of: element, inheriting: outer)
        var items: [ResourceList.Item] = []
        for child in element.children where child.namespace == element.namespace {
            switch child.name {
            case "entry":
                items.append(.entry(try ResourceList.Entry(reading: child, inheriting: control)))
            case "list":
                items.append(.list(try ResourceList.List(reading: child, inheriting: control)))
            case "entry-ref", "external":
                let name = child.name == "external" ? "anchor" : "ref"
                guard let uri = child.attribute(name) else {
                    // An external list without an anchor is allowed, and empty.
                    if child.name == "external" { continue }
                    throw .unexpected("entry-ref without ref")
                }
                let control = try CopyControl(of: child, inheriting: control)
                items.append(
                    .reference(
                        .init(uri: XMLText.trimmed(uri), copy: control.copy, isAnonymized: control.isAnonymized)))
            default:
                continue
            }
        }
        self.init(name: element.attribute("name"), displayName: element.text(of: "display-name"), items: items)
    }
}

extension ResourceList.Entry {
    fileprivate init(reading element: XMLElement, inheriting outer: CopyControl) throws(XMLError) {
        guard let uri = element.attribute("uri").map(XMLText.trimmed), !uri.isEmpty else {
            throw .unexpected("entry without uri")
        }
        let control = try CopyControl(of: element, inheriting: outer)
        self.init(
            uri: XMLText.literal(uri), displayName: element.text(of: "display-name"), copy: control.copy ?? .bcc,
            isAnonymized: control.isAnonymized ?? false)
        if let text = CopyControl.attribute("count", of: element) {
            guard let number = XMLText.number(text) else { throw .unexpected("count") }
            count = Int(number)
        }
    }
}

extension ResourceList {
    /// How far references may lead from one list to another.
    static let referenceDepth = 4

    /// All entries of all lists, each recipient once: of several entries that are the same by the comparison of RFC 3261
    /// section 19.1.4 the first stays, with the highest copy control of them all (RFC 5364 section 4).
    ///
    /// - Parameters:
    ///   - maximum: recipients; one more throws `.tooManyEntries`.
    ///   - part: the octets that a `cid:` reference names, by the id without brackets and scheme; nil when there are none.
    ///     They are read as another resource list, each part once.
    /// - Throws: `XMLError`.
    package func flattened(
        maximum: Int, part: (_ contentID: String) -> [UInt8]? = { _ in nil }
    ) throws(XMLError) -> Flattened {
        var flattening = Flattening(maximum: maximum)
        try flattening.add(self, depth: 0, part: part)
        return flattening.result
    }

    private struct Flattening {
        let maximum: Int
        var result = Flattened(recipients: [], unresolved: [], duplicates: 0)
        private var places: [String: [Int]] = [:]
        private var uris: [ComparableURI] = []
        private var visited: Set<String> = []

        init(maximum: Int) {
            self.maximum = maximum
        }

        mutating func add(
            _ list: ResourceList, depth: Int, part: (String) -> [UInt8]?
        ) throws(XMLError) {
            for list in list.lists { try add(list, depth: depth, part: part) }
        }

        /// Lists are nested no deeper than their document was.
        private mutating func add(_ list: List, depth: Int, part: (String) -> [UInt8]?) throws(XMLError) {
            for item in list.items {
                switch item {
                case .entry(let entry): try add(entry)
                case .list(let inner): try add(inner, depth: depth, part: part)
                case .reference(let reference): try follow(reference, depth: depth, part: part)
                }
            }
        }

        private mutating func add(_ entry: Entry) throws(XMLError) {
            let uri = ComparableURI(entry.uri)
            if let place = places[uri.key]?.first(where: { uris[$0].matches(uri) }) {
                result.duplicates += 1
                if entry.copy.precedence > result.recipients[place].copy.precedence {
                    result.recipients[place].copy = entry.copy
                }
                // Once hidden stays hidden.
                if entry.isAnonymized { result.recipients[place].isAnonymized = true }
                return
            }
            guard result.recipients.count < maximum else { throw .tooManyEntries }
            places[uri.key, default: []].append(uris.count)
            uris.append(uri)
            result.recipients.append(
                Recipient(
                    uri: entry.uri, displayName: entry.displayName, copy: entry.copy,
                    isAnonymized: entry.isAnonymized))
        }

        private mutating func follow(
            _ reference: Reference, depth: Int, part: (String) -> [UInt8]?
        ) throws(XMLError) {
            guard let id = ResourceList.contentID(of: reference.uri), depth < ResourceList.referenceDepth,
                let octets = visited.contains(id) ? [] : part(id)
            else {
                result.unresolved.append(reference.uri)
                return
            }
            guard visited.insert(id).inserted else { return }
            let list = try ResourceList(
                parsing: octets, limits: XMLLimits(),
                control: CopyControl(copy: reference.copy, isAnonymized: reference.isAnonymized))
            try add(list, depth: depth + 1, part: part)
        }
    }

    /// The id in a `cid:` URI, its escapes resolved (RFC 2392 section 2); nil for other URIs.
    package static func contentID(of uri: String) -> String? {
        guard ASCII.equalIgnoringCase(uri.prefix(4), "cid:") else { return nil }
        return ComparableURI.unescaped(Array(uri.utf8.dropFirst(4)))
    }
}

extension ResourceList.Copy {
    /// `to` before `cc` before `bcc` (RFC 5364 section 4).
    fileprivate var precedence: Int {
        switch self {
        case .to: 2
        case .cc: 1
        case .bcc: 0
        }
    }
}
