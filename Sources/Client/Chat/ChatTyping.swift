import Payloads

/// Tells the room that this user is typing (RFC 3994 section 3.2). A pure machine: time is seconds on a clock that never goes
/// back.
package struct TypingTeller: Sendable {
    package enum Notice: Equatable, Sendable {
        case active
        case idle
    }

    /// How long after the last key the user counts as typing.
    package static let idleAfter = 15.0
    /// How long `active` holds at the others, in seconds; it is said again before that.
    package static let refresh = 90
    private static let repeatAfter = 60.0

    private var lastKey = 0.0
    private var lastTold: Double?

    package init() {}

    /// Whether the others take the user for typing.
    package var isTyping: Bool { lastTold != nil }

    /// The line that is being typed has changed.
    /// - Parameter isEmpty: nothing is left of it.
    package mutating func typed(isEmpty: Bool, now: Double) -> Notice? {
        guard !isEmpty else { return stop() }
        lastKey = now
        if let lastTold, now - lastTold < Self.repeatAfter { return nil }
        lastTold = now
        return .active
    }

    /// A message went out: that says by itself that its sender is idle (RFC 3994 section 3.3).
    package mutating func said() { lastTold = nil }

    package mutating func tick(now: Double) -> Notice? {
        guard lastTold != nil, now - lastKey >= Self.idleAfter else { return nil }
        return stop()
    }

    private mutating func stop() -> Notice? {
        guard lastTold != nil else { return nil }
        lastTold = nil
        return .idle
    }
}

/// Who is typing, as the others tell it (RFC 3994 section 3.3). A pure machine.
package struct TypingWatch: Sendable {
    /// Without a refresh of the sender's own (RFC 3994 section 3.3), and the longest that one is believed, in seconds.
    static let usualRefresh = 120.0
    static let longestRefresh = 600.0
    /// People that are remembered.
    static let maximum = 32

    private var people: [(uri: String, name: String, until: Double)] = []

    package init() {}

    package var names: [String] { people.map(\.name) }

    /// - Parameter refresh: seconds; nil where the notice doesn't say.
    package mutating func received(isActive: Bool, from uri: String, name: String, refresh: Int?, now: Double) {
        people.removeAll { $0.uri == uri }
        guard isActive, people.count < Self.maximum else { return }
        let life = refresh.map { min(max(Double($0), 1), Self.longestRefresh) } ?? Self.usualRefresh
        people.append((uri, name, now + life))
    }

    /// A message of that sender came, or he is gone.
    package mutating func said(_ uri: String) { people.removeAll { $0.uri == uri } }

    package mutating func tick(now: Double) { people.removeAll { $0.until <= now } }

    /// `… bob is typing`; nil for nobody.
    package var text: String? {
        switch names.count {
        case 0: nil
        case 1: "… \(names[0]) is typing"
        case 2: "… \(names[0]) and \(names[1]) are typing"
        default: "… \(names.count) people are typing"
        }
    }
}

/// The document that says whether somebody is typing (RFC 3994 section 6).
package struct TypingNotice: Equatable, Sendable {
    static let contentType = "application/im-iscomposing+xml"
    private static let namespace = "urn:ietf:params:xml:ns:im-iscomposing"

    package var isActive: Bool
    /// Seconds; nil where it doesn't say.
    package var refresh: Int?

    package init(isActive: Bool, refresh: Int? = nil) {
        self.isActive = isActive
        self.refresh = refresh
    }

    /// Nil for what is no such document; a state that is not `active` counts as idle (section 3.1).
    package init?(parsing octets: [UInt8]) {
        guard let root = try? XMLDocument(parsing: octets, limits: XMLLimits(octets: 8_192, elements: 32)).root,
            root.is("isComposing", in: Self.namespace), let state = root.text(of: "state")
        else { return nil }
        isActive = state == "active"
        refresh = root.text(of: "refresh").flatMap { Int($0) }
    }

    package var document: String {
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<isComposing xmlns=\"\(Self.namespace)\">"
            + "<state>\(isActive ? "active" : "idle")</state><contenttype>text/plain</contenttype>"
            + (refresh.map { "<refresh>\($0)</refresh>" } ?? "") + "</isComposing>\n"
    }
}
