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
        []
    }
}

extension ConferenceInfo.Description {
    /// The `conference-description` element.
    package func xml() -> [UInt8] { [] }
}

extension ConferenceInfo.HostInfo {
    /// The `host-info` element.
    package func xml() -> [UInt8] { [] }
}

extension ConferenceInfo.ConferenceState {
    /// The `conference-state` element.
    package func xml() -> [UInt8] { [] }
}

extension ConferenceInfo.User {
    /// The `user` element, with its endpoints.
    package func xml() -> [UInt8] { [] }
}
