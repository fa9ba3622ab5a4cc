package import SIP

/// How a chat is shown: lines of standard output for messages, of standard error for what happens beside them.
package struct ChatPrinter: Sendable {
    package enum Style: Sendable {
        /// `12:34:56 alice: text`
        case terminal
        /// `[sip:alice@example.com] text`, further lines of the text with a tab before them.
        case lines
        /// One JSON object a message.
        case json
    }

    package let style: Style

    package init(style: Style) { self.style = style }

    /// The text of a message with its line end.
    /// - Parameter clock: the local time of day, for `terminal`.
    package func line(for message: ChatMessage, clock: String) -> String {
        let text = message.text
        switch style {
        case .json:
            return JSONText.object([
                ("from", message.from.map(JSONText.string) ?? "null"),
                ("name", message.displayName.map(JSONText.string) ?? "null"),
                ("private", message.isPrivate ? "true" : "false"),
                ("time", message.dateTime.map(JSONText.string) ?? "null"),
                ("type", JSONText.string(message.contentType)), ("size", "\(message.content.count)"),
                ("text", JSONText.string(text)),
            ]) + "\n"
        case .lines:
            let sender = (message.from ?? "-") + (message.isPrivate ? " privately" : "")
            return "[\(sender.withoutControls(keepingLines: false))] " + Self.indented(text, by: "\t") + "\n"
        case .terminal:
            let name = message.displayName ?? message.from.map(Self.user) ?? "-"
            let sender = name + (message.isPrivate ? " (privately)" : "")
            return "\(clock) \(sender.withoutControls(keepingLines: false)): " + Self.indented(text, by: "         ")
                + "\n"
        }
    }

    /// One participant: `Alice, sip:alice@example.com, moderator, on hold`.
    package func line(for person: ChatRoster.Person) -> String {
        ([person.name, person.uri] + person.roles + [person.presence.text].compactMap { $0 }).joined(separator: ", ")
    }

    /// The participants as one JSON object, with its line end.
    package func participants(_ roster: ChatRoster, of room: SIPURI) -> String {
        let people = roster.people.filter(\.presence.isListed).map { person in
            JSONText.object([
                ("uri", JSONText.string(person.uri)),
                ("name", person.displayName.map(JSONText.string) ?? "null"),
                ("nickname", person.nickname.map(JSONText.string) ?? "null"),
                ("roles", JSONText.array(person.roles)),
                ("status", JSONText.string(person.presence.text ?? "connected")),
            ])
        }
        return JSONText.object([
            ("room", JSONText.string(room.description)), ("subject", roster.subject.map(JSONText.string) ?? "null"),
            ("participants", "[" + people.joined(separator: ", ") + "]"),
        ]) + "\n"
    }

    /// `alice` of `sip:alice@example.com`.
    private static func user(_ uri: String) -> String {
        let rest = uri.drop { $0 != ":" }.dropFirst()
        return rest.contains("@") ? String(rest.prefix { $0 != "@" }) : uri
    }

    private static func indented(_ text: String, by indent: String) -> String {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false)
        if lines.count > 1, lines.last == "" { lines.removeLast() }
        return lines.joined(separator: "\n" + indent)
    }
}

extension ChatRoster.Presence {
    /// Nil for somebody who is simply there.
    fileprivate var text: String? {
        switch self {
        case .here: nil
        case .onHold: "on-hold"
        case .muted: "muted"
        case .expected(let status): status
        case .gone: "disconnected"
        }
    }
}
