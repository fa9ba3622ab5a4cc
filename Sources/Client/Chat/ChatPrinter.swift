import Payloads
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
    /// - Parameter clock: the local time of day, of an earlier message with its date, for `terminal`.
    package func line(for message: ChatMessage, clock: String) -> String {
        let text = message.text
        switch style {
        case .json:
            return JSONText.object([
                ("kind", JSONText.string(message.isText ? "message" : "content")),
                ("from", message.from.map(JSONText.string) ?? "null"),
                ("name", message.displayName.map(JSONText.string) ?? "null"),
                ("private", message.isPrivate ? "true" : "false"), ("replayed", message.isReplayed ? "true" : "false"),
                ("time", message.dateTime.map(JSONText.string) ?? "null"),
                ("type", JSONText.string(message.contentType)), ("size", "\(message.content.count)"),
                ("save", message.attachment.map { "\($0)" } ?? "null"), ("text", JSONText.string(text)),
            ]) + "\n"
        case .lines:
            let sender = (message.from ?? "-") + (message.isPrivate ? " privately" : "")
            return "[\(sender.withoutControls(keepingLines: false))] " + Self.indented(text, by: "\t") + "\n"
        case .terminal:
            let name = message.displayName ?? message.from.map(Self.user) ?? "-"
            let sender = name + (message.isPrivate ? " (privately)" : "")
            let indent = String(repeating: " ", count: clock.count + 1)
            return "\(clock) \(sender.withoutControls(keepingLines: false)): " + Self.indented(text, by: indent) + "\n"
        }
    }

    /// What the room itself says, as one JSON object with its line end.
    package func event(_ line: RoomLine, text: String, time: String?) -> String {
        JSONText.object([
            ("kind", JSONText.string("room")), ("event", line.event.map { JSONText.string($0.rawValue) } ?? "null"),
            ("time", time.map(JSONText.string) ?? "null"), ("text", JSONText.string(text)),
        ]) + "\n"
    }

    /// A file that the room told of, as one JSON object with its line end.
    package func event(_ entry: RoomFiles.Entry) -> String {
        JSONText.object([("kind", JSONText.string("file"))] + Self.members(of: entry)) + "\n"
    }

    /// The files of the room as one JSON object, with its line end.
    package func files(_ files: RoomFiles, of room: SIPURI) -> String {
        let objects = files.present.map { JSONText.object(Self.members(of: $0)) }
        return JSONText.object([
            ("kind", JSONText.string("files")), ("room", JSONText.string(room.description)),
            ("files", "[" + objects.joined(separator: ", ") + "]"),
        ]) + "\n"
    }

    private static func members(of entry: RoomFiles.Entry) -> [(name: String, value: String)] {
        let file = entry.file
        func digest(_ hash: Fingerprint.Hash) -> String {
            file.hashes.first { $0.hash == hash }.map { JSONText.string($0.digest.hexadecimal) } ?? "null"
        }
        return [
            ("number", "\(entry.number)"), ("name", JSONText.string(file.name)),
            ("type", file.type.map(JSONText.string) ?? "null"), ("size", file.size.map { "\($0)" } ?? "null"),
            ("sha1", digest(.sha1)), ("sha256", digest(.sha256)),
            ("sender", file.sender.map(JSONText.string) ?? "null"),
            ("time", entry.told.map { JSONText.string(InternetDateTime.format(seconds: $0)) } ?? "null"),
        ]
    }

    /// The files of the room for people: number, name, size, type, sender, age.
    /// - Parameters:
    ///   - now: seconds since 1970.
    ///   - name: of the sender with that URI.
    package func lines(for files: RoomFiles, now: Int64, name: (String) -> String) -> [String] {
        let rows = files.present.map { entry in
            [
                "\(entry.number)", FileName.sanitised(entry.file.name),
                entry.file.size.map(TransferProgress.bytes) ?? "-",
                entry.file.type ?? "-", entry.file.sender.map(name) ?? "-",
                entry.told.map { Self.age(max(now - $0, 0)) } ?? "before you came",
            ].map { $0.withoutControls(keepingLines: false) }
        }
        let widths = (0..<5).map { column in rows.map { $0[column].count }.max() ?? 0 }
        return rows.map { row in
            row.enumerated().map { column, text in
                guard column < 5 else { return text }
                let blanks = String(repeating: " ", count: widths[column] - text.count)
                return column == 0 || column == 2 ? blanks + text : text + blanks
            }.joined(separator: "  ")
        }
    }

    /// `just now`, `5 min ago`, `3 h ago`, `2 days ago`.
    static func age(_ seconds: Int64) -> String {
        switch seconds {
        case ..<60: "just now"
        case ..<3_600: "\(seconds / 60) min ago"
        case ..<172_800: "\(seconds / 3_600) h ago"
        default: "\(seconds / 86_400) days ago"
        }
    }

    /// One participant: `Al (Alice), sip:alice@example.com, moderator, on hold`.
    package func line(for person: ChatRoster.Person) -> String {
        var name = person.name
        if person.nickname != nil, let own = person.displayName?.withoutControls(keepingLines: false), own != name {
            name += " (\(own))"
        }
        return ([name, person.uri] + person.roles + [person.presence.text].compactMap { $0 }).joined(separator: ", ")
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
            ("kind", JSONText.string("participants")), ("room", JSONText.string(room.description)),
            ("subject", roster.subject.map(JSONText.string) ?? "null"),
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
