// Documents are put together from fragments, so that what has not changed need not be written again: each fragment can
// be kept by its owner and used in the documents of many versions.
extension ConferenceInfo {
    /// The document.
    package func xml() -> [UInt8] {
        Self.document(
            entity: entity, state: state, version: version, description: description?.xml() ?? [],
            hostInfo: hostInfo?.xml() ?? [], conferenceState: conferenceState?.xml() ?? [],
            usersState: users?.state ?? .full, users: users?.list.map { $0.xml() })
    }

    /// A document of fragments that are written already.
    ///
    /// - Parameter users: nil for no `users` element. A full document has one all the same, and a description (RFC 4575
    ///   section 5.2).
    package static func document(
        entity: String, state: State, version: UInt32?, description: [UInt8] = [], hostInfo: [UInt8] = [],
        conferenceState: [UInt8] = [], usersState: State = .full, users: [[UInt8]]? = nil
    ) -> [UInt8] {
        let length = users?.reduce(0) { $0 + $1.count } ?? 0
        var writer = XMLWriter(
            reserving: length + description.count + hostInfo.count + conferenceState.count + entity.utf8.count + 384)
        writer.declare()
        writer.start(
            "conference-info",
            [
                "xmlns": XMLNamespace.conferenceInfo, "xmlns:xcon": XMLNamespace.centralizedConferencing,
                "entity": XMLText.uri(entity), "state": state.rawValue, "version": version.map { "\($0)" },
            ])
        if state == .full, description.isEmpty {
            writer.empty("conference-description")
        } else {
            writer.raw(description)
        }
        writer.raw(hostInfo)
        writer.raw(conferenceState)
        if users != nil || state == .full {
            writer.start("users", ["state": usersState.rawValue])
            for user in users ?? [] { writer.raw(user) }
            writer.end("users")
        }
        writer.end("conference-info")
        return writer.octets
    }
}

extension ConferenceInfo.Description {
    /// The `conference-description` element.
    package func xml() -> [UInt8] {
        var writer = XMLWriter()
        writer.start("conference-description")
        writer.element("display-text", displayText)
        writer.element("subject", subject)
        writer.element("free-text", freeText)
        if !keywords.isEmpty { writer.element("keywords", keywords.joined(separator: " ")) }
        writer.entries("conf-uris", conferenceURIs)
        writer.entries("service-uris", serviceURIs)
        writer.element("maximum-user-count", maximumUserCount.map { "\($0)" })
        if !availableMedia.isEmpty {
            writer.start("available-media")
            for medium in availableMedia {
                writer.start("entry", ["label": medium.label])
                writer.element("display-text", medium.displayText)
                writer.element("type", medium.type)
                writer.element("status", medium.status?.rawValue)
                writer.end("entry")
            }
            writer.end("available-media")
        }
        // Elements of other namespaces come last (RFC 4575 section 8).
        if !files.isEmpty {
            writer.start("resources", ["xmlns": XMLNamespace.conferenceFiles])
            writer.start("files")
            for file in files {
                writer.empty(
                    "file",
                    [
                        "name": file.name, "hash": file.hash, "size": "\(file.size)", "sender": file.sender,
                        "status": file.status,
                    ])
            }
            writer.end("files")
            writer.end("resources")
        }
        writer.end("conference-description")
        return writer.octets
    }
}

extension ConferenceInfo.HostInfo {
    /// The `host-info` element.
    package func xml() -> [UInt8] {
        var writer = XMLWriter()
        writer.start("host-info")
        writer.element("display-text", displayText)
        writer.uri("web-page", webPage)
        writer.entries("uris", uris)
        writer.end("host-info")
        return writer.octets
    }
}

extension ConferenceInfo.ConferenceState {
    /// The `conference-state` element.
    package func xml() -> [UInt8] {
        var writer = XMLWriter()
        writer.start("conference-state")
        writer.element("user-count", userCount.map { "\($0)" })
        writer.element("active", isActive.map { "\($0)" })
        writer.element("locked", isLocked.map { "\($0)" })
        writer.end("conference-state")
        return writer.octets
    }
}

extension ConferenceInfo.User {
    /// The `user` element, with its endpoints.
    package func xml() -> [UInt8] {
        var writer = XMLWriter(reserving: 640)
        let attributes: KeyValuePairs<StaticString, String?> = [
            "entity": XMLText.uri(entity), "state": state.rawValue, "xcon:nickname": nickname,
        ]
        guard state != .deleted else {
            // A deleted element should have no children (RFC 4575 section 4.4).
            writer.empty("user", ["entity": XMLText.uri(entity), "state": state.rawValue])
            return writer.octets
        }
        writer.start("user", attributes)
        writer.element("display-text", displayText)
        writer.entries("associated-aors", associatedAORs)
        if !roles.isEmpty {
            writer.start("roles")
            for role in roles { writer.element("entry", role) }
            writer.end("roles")
        }
        for endpoint in endpoints { writer.endpoint(endpoint) }
        writer.end("user")
        return writer.octets
    }
}

extension XMLWriter {
    /// A list needs one entry at least: without any there is none.
    fileprivate mutating func entries(_ name: StaticString, _ entries: [ConferenceInfo.URIEntry]) {
        guard !entries.isEmpty else { return }
        start(name)
        for entry in entries {
            start("entry")
            uri("uri", entry.uri)
            element("display-text", entry.displayText)
            element("purpose", entry.purpose)
            end("entry")
        }
        end(name)
    }

    fileprivate mutating func endpoint(_ endpoint: ConferenceInfo.Endpoint) {
        let state = endpoint.state == .full ? nil : endpoint.state.rawValue
        guard endpoint.state != .deleted else {
            return empty("endpoint", ["entity": endpoint.entity, "state": state])
        }
        start("endpoint", ["entity": endpoint.entity, "state": state])
        element("display-text", endpoint.displayText)
        execution("referred", endpoint.referred)
        element("status", endpoint.status?.rawValue)
        element("joining-method", endpoint.joiningMethod?.rawValue)
        execution("joining-info", endpoint.joiningInfo)
        element("disconnection-method", endpoint.disconnectionMethod?.rawValue)
        execution("disconnection-info", endpoint.disconnectionInfo)
        for medium in endpoint.media {
            start("media", ["id": medium.id])
            element("display-text", medium.displayText)
            element("type", medium.type)
            element("label", medium.label)
            element("src-id", medium.sourceID)
            element("status", medium.status?.rawValue)
            end("media")
        }
        if let call = endpoint.callInfo {
            start("call-info")
            start("sip")
            element("display-text", call.displayText)
            element("call-id", call.callID)
            element("from-tag", call.fromTag)
            element("to-tag", call.toTag)
            end("sip")
            end("call-info")
        }
        end("endpoint")
    }

    private mutating func execution(_ name: StaticString, _ execution: ConferenceInfo.Execution?) {
        guard let execution else { return }
        start(name)
        // A subscriber that validates would ignore the document for what is no moment.
        element("when", execution.when.flatMap { InternetDateTime.seconds($0) == nil ? nil : $0 })
        element("reason", execution.reason)
        uri("by", execution.by)
        end(name)
    }
}
