import Support
import Testing

/// What the workflows of RFC 4579 section 5 share: people who watch the room they are in.
enum Workflow {
    /// Quick notifications: what is gathered is tested elsewhere.
    static let options: ConfdProcess.Options = ["Conference": ["notify_interval": "100 ms"]]

    static func options(_ more: ConfdProcess.Options) -> ConfdProcess.Options {
        options.merging(more) { $0.merging($1) { $1 } }
    }

    /// `options` with people called in this way.
    static func dialling(_ method: String, _ more: [String: String] = [:]) -> ConfdProcess.Options {
        options(["Conference": ["dial_out": method].merging(more) { $1 }])
    }
}

extension RawSIPClient {
    /// Subscribes to a room and takes the first, full NOTIFY.
    func watch(
        _ room: String, within call: RawDialog? = nil, sourceLocation: SourceLocation = #_sourceLocation
    ) throws -> RawSubscription {
        let subscription = RawSubscription(self, to: room, within: call)
        try subscription.subscribe()
        try #require(subscription.status == 200, "\(subscription.response)", sourceLocation: sourceLocation)
        let first = try subscription.notification()
        #expect(first.state == "active", sourceLocation: sourceLocation)
        #expect(first.roster?.state == "full", sourceLocation: sourceLocation)
        return subscription
    }
}

extension Participant {
    /// Subscribes to the room and takes the first, full NOTIFY.
    func watch(sourceLocation: SourceLocation = #_sourceLocation) throws -> RawSubscription {
        try sip.watch(room, sourceLocation: sourceLocation)
    }

    /// What reaches the focus as a REFER to the room, in a dialog of its own.
    func refer(_ referTo: String?, extra: String = "") throws -> RawReferral {
        try RawReferral(sip, room: room, referTo: referTo, extra: extra)
    }
}

extension RosterView {
    /// The user parts of those who are in the room, sorted.
    var present: [String] { connected.map(Self.userPart).sorted() }

    func user(_ name: String) -> RosterDocument.User? {
        users.values.first { Self.userPart($0.entity) == name }
    }

    static func userPart(_ uri: String) -> String {
        String(uri.drop { $0 != ":" }.dropFirst().prefix { $0 != "@" })
    }
}

extension RosterDocument {
    func user(_ name: String) -> User? { users?.first { RosterView.userPart($0.entity) == name } }
}

extension RawSubscription {
    /// Takes what is under way: NOTIFYs that wait unanswered make room for later ones (RFC 6665 section 4.2.2).
    func settle() throws {
        while try notificationIfAny(within: 0.4) != nil {}
    }

    /// Takes NOTIFYs until exactly these people are in the room.
    func until(present people: String..., within seconds: Double = 15) throws {
        if view.present == people.sorted() { return }
        try until("\(people)", within: seconds) { $1.present == people.sorted() }
    }

    /// Takes NOTIFYs until one tells this about somebody's endpoint.
    @discardableResult
    func until(
        _ person: String, _ what: String, within seconds: Double = 15, _ fits: (RosterDocument.Endpoint) -> Bool
    ) throws -> RosterDocument.Endpoint {
        var found: RosterDocument.Endpoint?
        func look(_ user: RosterDocument.User?) -> Bool {
            found = user?.endpoints.first(where: fits)
            return found != nil
        }
        if look(view.user(person)) { return try #require(found) }
        try until("\(person) \(what)", within: seconds) { look($0.roster?.user(person) ?? $1.user(person)) }
        return try #require(found)
    }

    /// Takes NOTIFYs until the roster `fits`.
    func until(_ what: String, within seconds: Double = 15, _ fits: (RosterView) -> Bool) throws {
        if fits(view) { return }
        try until(what, within: seconds) { _, view in fits(view) }
    }
}
