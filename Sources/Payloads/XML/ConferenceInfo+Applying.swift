extension ConferenceInfo {
    /// This state with a document applied to it (RFC 4575 section 4.6); versions are not looked at.
    package func applying(_ update: ConferenceInfo) -> ConferenceInfo {
        guard update.state == .partial else { return update }
        var result = self
        result.version = update.version
        // Elements without a state of their own are replaced as a whole.
        if let description = update.description { result.description = description }
        if let hostInfo = update.hostInfo { result.hostInfo = hostInfo }
        if let conferenceState = update.conferenceState { result.conferenceState = conferenceState }
        guard let users = update.users else { return result }
        switch users.state {
        case .full: result.users = users
        case .deleted: result.users = nil
        case .partial:
            let list = Self.merge(
                result.users?.list ?? [], users.list, key: \.entity, state: \.state
            ) { $0.applying($1) }
            result.users = Users(list)
        }
        return result
    }

    /// Rows of a table with keys: replaced, removed, updated, added.
    fileprivate static func merge<Row>(
        _ rows: [Row], _ updates: [Row], key: (Row) -> String, state: WritableKeyPath<Row, State>,
        update: (Row, Row) -> Row
    ) -> [Row] {
        var rows: [Row?] = rows
        var places: [String: Int] = [:]
        for (index, row) in rows.enumerated() { places[row.map(key) ?? ""] = index }
        for new in updates {
            let place = places[key(new)]
            let known = place.flatMap { rows[$0] }
            var row: Row?
            switch new[keyPath: state] {
            case .deleted: break
            case .full: row = new
            case .partial: row = known.map { update($0, new) } ?? new
            }
            // What is known is all there is to know, whatever the update that brought it was.
            row?[keyPath: state] = .full
            if let place {
                rows[place] = row
            } else if let row {
                places[key(new)] = rows.count
                rows.append(row)
            }
        }
        return rows.compactMap { $0 }
    }
}

extension ConferenceInfo.User {
    fileprivate func applying(_ update: Self) -> Self {
        var result = self
        result.displayText = update.displayText ?? displayText
        if !update.associatedAORs.isEmpty { result.associatedAORs = update.associatedAORs }
        if !update.roles.isEmpty { result.roles = update.roles }
        result.nickname = update.nickname ?? nickname
        result.endpoints = ConferenceInfo.merge(endpoints, update.endpoints, key: \.entity, state: \.state) {
            $0.applying($1)
        }
        return result
    }
}

extension ConferenceInfo.Endpoint {
    fileprivate func applying(_ update: Self) -> Self {
        var result = self
        result.displayText = update.displayText ?? displayText
        result.referred = update.referred ?? referred
        result.status = update.status ?? status
        result.joiningMethod = update.joiningMethod ?? joiningMethod
        result.joiningInfo = update.joiningInfo ?? joiningInfo
        result.disconnectionMethod = update.disconnectionMethod ?? disconnectionMethod
        result.disconnectionInfo = update.disconnectionInfo ?? disconnectionInfo
        result.callInfo = update.callInfo ?? callInfo
        for medium in update.media {
            if let place = result.media.firstIndex(where: { $0.id == medium.id }) {
                result.media[place] = medium
            } else {
                result.media.append(medium)
            }
        }
        return result
    }
}

/// What a subscriber knows of a conference, for the time of one subscription (RFC 4575 section 4.6).
package struct ConferenceTracker: Sendable {
    package enum Outcome: Sendable, Equatable {
        case updated
        /// Not newer than what is known.
        case ignored
        /// Something in between is missing, or the first document was not full: subscribe again for a full one.
        case needsFullState
        /// The conference has ceased to exist.
        case ended
    }

    /// Nil before the first full document.
    package private(set) var info: ConferenceInfo?

    package init() {}

    package mutating func receive(_ document: ConferenceInfo) -> Outcome {
        if let known = info?.version, let version = document.version, version <= known { return .ignored }
        switch document.state {
        case .full:
            info = document
            return .updated
        case .deleted:
            info = document
            return .ended
        case .partial:
            guard let info, let known = info.version, let version = document.version, version == known &+ 1 else {
                return .needsFullState
            }
            self.info = info.applying(document)
            return .updated
        }
    }
}
