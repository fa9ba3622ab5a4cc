internal import Client
internal import FoundationEssentials
internal import MediaMixer
internal import Payloads

/// Messages that are kept, for people and for programs.
enum RoomHistoryText {
    /// `2026-11-21 10:03:02  alice: hello`, further lines of the text below its first; other content is named.
    static func line(_ entry: HistoryEntry) -> String {
        let time = RoomTimes.text(entry.time / 1000).replacing("T", with: " ").dropLast()
        let name = bare(entry.senderName)
        let sender = entry.recipient.map { "\(name), to \(bare($0)) alone" } ?? name
        let content = Content(entry)
        let text: String
        if let words = content.text {
            let lines = words.split(separator: "\n", omittingEmptySubsequences: false).map {
                RoomText.printable($0.hasSuffix("\r") ? String($0.dropLast()) : String($0))
            }
            text = lines.joined(separator: "\n" + String(repeating: " ", count: time.count + 2))
        } else {
            text = "[\(RoomText.printable(entry.contentType)), \(size(content.octets.count))]"
        }
        return "\(time)  \(RoomText.printable(sender)): \(text)\n"
    }

    /// All that is known of it; the content as text, or in base64 where it is none.
    static func json(_ entry: HistoryEntry) -> String {
        let content = Content(entry)
        return JSONText.object([
            ("room", JSONText.string("\(entry.room)")), ("sequence", "\(entry.sequence)"),
            (
                "time",
                JSONText.string(
                    InternetDateTime.format(
                        seconds: Int64(entry.time / 1000), milliseconds: Int(entry.time % 1000)))
            ),
            ("sender", JSONText.string(entry.sender)), ("name", JSONText.string(entry.senderName)),
            ("private", "\(entry.recipient != nil)"),
            ("recipient", entry.recipient.map(JSONText.string) ?? "null"),
            ("message_id", JSONText.string(entry.messageID)),
            ("date_time", content.dateTime.map(JSONText.string) ?? "null"),
            ("subject", content.subject.map(JSONText.string) ?? "null"),
            ("content_type", JSONText.string(entry.contentType)), ("size", "\(content.octets.count)"),
            ("encoding", content.text == nil ? "\"base64\"" : "\"text\""),
            (
                "content",
                JSONText.string(content.text ?? Data(content.octets).base64EncodedString())
            ),
        ])
    }

    private struct Content {
        var octets: [UInt8]
        var dateTime: String?
        var subject: String?
        /// Nil: it is no text, or no UTF-8.
        var text: String?

        init(_ entry: HistoryEntry) {
            let message = try? CPIMMessage(parsing: entry.cpim)
            octets = Array(entry.cpim[(message?.bodyOffset ?? 0)...])
            dateTime = message?.dateTime
            subject = message?.subject
            if entry.contentType.hasPrefix("text/") { text = String(validating: octets, as: UTF8.self) }
        }
    }

    /// Without `sip:`.
    private static func bare(_ name: String) -> String {
        name.lowercased().hasPrefix("sip:") ? String(name.dropFirst(4)) : name
    }

    private static func size(_ octets: Int) -> String {
        octets < 1000 ? "\(octets) B" : octets < 1_000_000 ? "\(octets / 1000) kB" : "\(octets / 1_000_000) MB"
    }
}
