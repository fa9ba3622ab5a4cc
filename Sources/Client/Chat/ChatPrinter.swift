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
