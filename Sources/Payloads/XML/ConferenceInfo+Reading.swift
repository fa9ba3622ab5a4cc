// Liberal where a display can do without: a status that is none of the list is no status. Strict where the state would be
// wrong: keys, states, versions.
extension ConferenceInfo {
    /// - Throws: `XMLError`.
    package init(parsing octets: some Collection<UInt8>, limits: XMLLimits = XMLLimits()) throws(XMLError) {
        let root = try XMLDocument(
            parsing: octets, root: "conference-info", in: XMLNamespace.conferenceInfo, limits: limits
        ).root
        guard let entity = root.attribute("entity") else { throw .unexpected("conference-info without entity") }
        var version: UInt32?
        if let text = root.attribute("version") {
            version = XMLText.number(text)
            guard version != nil else { throw .unexpected("version") }
        }
        self.init(
            entity: XMLText.literal(XMLText.trimmed(entity)), state: try State(of: root), version: version,
            description: root.child("conference-description").map { Description(reading: $0) },
            hostInfo: root.child("host-info").map { HostInfo(reading: $0) },
            conferenceState: root.child("conference-state").map { ConferenceState(reading: $0) })
        if let users = root.child("users") {
            var list: [User] = []
            for user in users.children("user") { list.append(try User(reading: user)) }
            self.users = Users(state: try State(of: users), list)
        }
        let known: Set = ["conference-description", "host-info", "conference-state", "users"]
        others = root.children.compactMap { $0.namespace == root.namespace && known.contains($0.name) ? nil : $0.name }
    }
}

extension ConferenceInfo.State {
    fileprivate init(of element: XMLElement) throws(XMLError) {
        guard let text = element.attribute("state") else {
            self = .full
            return
        }
        guard let state = Self(rawValue: XMLText.trimmed(text)) else { throw .unexpected("state") }
        self = state
    }
}

extension ConferenceInfo.Description {
    fileprivate init(reading element: XMLElement) {
        self.init()
        displayText = element.text(of: "display-text")
        subject = element.text(of: "subject")
        freeText = element.text(of: "free-text")
        keywords = XMLText.words(element.text(of: "keywords") ?? "")
        conferenceURIs = ConferenceInfo.URIEntry.list(element.child("conf-uris"))
        serviceURIs = ConferenceInfo.URIEntry.list(element.child("service-uris"))
        maximumUserCount = XMLText.number(element.text(of: "maximum-user-count"))
        availableMedia = (element.child("available-media")?.children("entry") ?? []).compactMap { entry in
            guard let label = entry.attribute("label"), let type = entry.text(of: "type") else { return nil }
            return ConferenceInfo.AvailableMedium(
                label: label, displayText: entry.text(of: "display-text"), type: type,
                status: entry.text(of: "status").flatMap { .init(rawValue: $0) })
        }
        let resources = element.children.first { $0.is("resources", in: XMLNamespace.conferenceFiles) }
        files = (resources?.child("files")?.children("file") ?? []).compactMap { ConferenceInfo.File(reading: $0) }
        let known: Set = [
            "display-text", "subject", "free-text", "keywords", "conf-uris", "service-uris", "maximum-user-count",
            "available-media",
        ]
        others = element.children.compactMap {
            $0.namespace == element.namespace && known.contains($0.name) || $0 == resources ? nil : $0.name
        }
    }
}

extension ConferenceInfo.File {
    fileprivate init?(reading element: XMLElement) {
        guard let name = element.attribute("name"), let hash = element.attribute("hash"),
            let size = element.attribute("size").flatMap({ ASCII.decimal($0.utf8) })
        else { return nil }
        self.init(
            name: name, hash: hash, size: size, sender: element.attribute("sender") ?? "",
            status: element.attribute("status") ?? "OK")
    }
}

extension ConferenceInfo.URIEntry {
    fileprivate static func list(_ element: XMLElement?) -> [Self] {
        (element?.children("entry") ?? []).compactMap { entry in
            entry.text(of: "uri").map {
                Self(
                    uri: XMLText.literal($0), displayText: entry.text(of: "display-text"),
                    purpose: entry.text(of: "purpose"))
            }
        }
    }
}

extension ConferenceInfo.HostInfo {
    fileprivate init(reading element: XMLElement) {
        self.init(
            displayText: element.text(of: "display-text"), webPage: element.text(of: "web-page"),
            uris: ConferenceInfo.URIEntry.list(element.child("uris")))
    }
}

extension ConferenceInfo.ConferenceState {
    fileprivate init(reading element: XMLElement) {
        self.init(
            userCount: XMLText.number(element.text(of: "user-count")),
            isActive: XMLText.boolean(element.text(of: "active")),
            isLocked: XMLText.boolean(element.text(of: "locked")))
    }
}

extension ConferenceInfo.User {
    fileprivate init(reading element: XMLElement) throws(XMLError) {
        guard let entity = element.attribute("entity") else { throw .unexpected("user without entity") }
        self.init(
            entity: XMLText.literal(XMLText.trimmed(entity)), state: try ConferenceInfo.State(of: element),
            displayText: element.text(of: "display-text"))
        associatedAORs = ConferenceInfo.URIEntry.list(element.child("associated-aors"))
        roles = (element.child("roles")?.children("entry") ?? []).map(\.trimmedText)
        nickname = element.attribute("nickname", in: XMLNamespace.centralizedConferencing)
        for endpoint in element.children("endpoint") {
            endpoints.append(try ConferenceInfo.Endpoint(reading: endpoint))
        }
    }
}

extension ConferenceInfo.Endpoint {
    fileprivate init(reading element: XMLElement) throws(XMLError) {
        guard let entity = element.attribute("entity") else { throw .unexpected("endpoint without entity") }
        self.init(
            entity: entity, state: try ConferenceInfo.State(of: element),
            status: element.text(of: "status").flatMap { .init(rawValue: $0) })
        displayText = element.text(of: "display-text")
        referred = element.child("referred").map { .init(reading: $0) }
        joiningMethod = element.text(of: "joining-method").flatMap { .init(rawValue: $0) }
        joiningInfo = element.child("joining-info").map { .init(reading: $0) }
        disconnectionMethod = element.text(of: "disconnection-method").flatMap { .init(rawValue: $0) }
        disconnectionInfo = element.child("disconnection-info").map { .init(reading: $0) }
        for medium in element.children("media") { media.append(try ConferenceInfo.Medium(reading: medium)) }
        if let sip = element.child("call-info")?.child("sip"), let callID = sip.text(of: "call-id"),
            let from = sip.text(of: "from-tag"), let to = sip.text(of: "to-tag")
        {
            callInfo = .init(callID: callID, fromTag: from, toTag: to, displayText: sip.text(of: "display-text"))
        }
    }
}

extension ConferenceInfo.Execution {
    fileprivate init(reading element: XMLElement) {
        self.init(
            when: element.text(of: "when"), reason: element.text(of: "reason"),
            by: element.text(of: "by").map { XMLText.literal($0) })
    }
}

extension ConferenceInfo.Medium {
    fileprivate init(reading element: XMLElement) throws(XMLError) {
        guard let id = element.attribute("id") else { throw .unexpected("media without id") }
        self.init(
            id: id, type: element.text(of: "type"), label: element.text(of: "label"),
            status: element.text(of: "status").flatMap { .init(rawValue: $0) })
        displayText = element.text(of: "display-text")
        sourceID = element.text(of: "src-id")
    }
}
