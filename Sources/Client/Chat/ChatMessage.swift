package import NIOCore
import Payloads
package import SIP

/// A message that came from the room, taken apart for showing.
package struct ChatMessage: Equatable, Sendable {
    /// The CPIM From URI; nil for bare text.
    package var from: String?
    package var displayName: String?
    /// Whether it was for this participant alone.
    package var isPrivate = false
    package var dateTime: String?
    /// Of the content, in lower case without parameters.
    package var contentType: String
    package var content: [UInt8]
    /// What the room marks its own lines with; to be believed of messages from the room only.
    package var roomLine: RoomLine?
    /// It was said before this participant came.
    package var isReplayed = false
    /// The number that the content can be saved by.
    package var attachment: Int?

    /// - Parameter me: messages to this address are private.
    /// Nil when it says it is message/cpim and isn't.
    package init?(contentType: String, body: ByteBuffer, me: SIPURI) {
        let octets = Array(body.readableBytesView)
        let outer = ContentType(parsing: contentType)?.essence.lowercased() ?? ""
        guard outer == "message/cpim" else {
            self.contentType = outer
            content = octets
            takeSenderFromText()
            return
        }
        guard let message = try? CPIMMessage(parsing: octets) else { return nil }
        from = message.from.uri
        displayName = message.from.displayName
        dateTime = message.dateTime
        isPrivate = message.to.contains { SIPURI($0.uri).map { $0.isSamePerson(as: me) } ?? false }
        self.contentType = message.contentType?.essence.lowercased() ?? "text/plain"
        content = Array(octets[message.bodyOffset...])
        roomLine = RoomLine(message)
    }

    /// When it was said, seconds since 1970; nil when it doesn't say.
    package var seconds: Int64? { dateTime.flatMap { InternetDateTime.seconds($0) } }

    /// To participants with text/plain the room writes `sender: text`.
    private mutating func takeSenderFromText() {
        guard isText, let colon = content.firstRange(of: Array(": ".utf8)),
            let uri = SIPURI(String(decoding: content[..<colon.lowerBound], as: UTF8.self)), uri.isSIP
        else { return }
        from = uri.description
        content.removeFirst(colon.upperBound)
    }

    /// What people say, as opposed to what programs tell each other.
    package var isText: Bool { contentType.hasPrefix("text/") }

    /// Typing notices (RFC 3994), receipts and the like, which a terminal need not show as messages. Receipts (RFC 5438) are
    /// not answered either: whether somebody has read something is nobody's business by default.
    package var isSilent: Bool { isTyping || contentType.hasPrefix("message/imdn") }

    /// A typing notice.
    package var isTyping: Bool { contentType == TypingNotice.contentType }

    /// The text, control characters other than line ends and tabs left out so that no message can steer a terminal;
    /// for other content a word about it.
    package var text: String {
        guard isText else {
            let size = TransferProgress.bytes(UInt64(content.count))
            return "[\(contentType), \(size)\(attachment.map { "; /save \($0)" } ?? "")]"
        }
        return String(decoding: content, as: UTF8.self).withoutControls(keepingLines: true)
    }
}

extension String {
    /// Without the characters that could steer a terminal or feign a line.
    func withoutControls(keepingLines: Bool) -> String {
        var text = String()
        for scalar in unicodeScalars {
            let isControl = scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value)
            let isSeparator = scalar.value == 0x2028 || scalar.value == 0x2029
            if keepingLines ? !isControl || scalar == "\n" || scalar == "\t" : !isControl && !isSeparator {
                text.unicodeScalars.append(scalar)
            }
        }
        return text
    }
}

extension SIPURI {
    /// Same user at the same host; port and parameters say only how to get there.
    func isSamePerson(as other: SIPURI) -> Bool { isSIP && user == other.user && host == other.host }
}
