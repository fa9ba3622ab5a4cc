import Logging
import MSRP
import MSRPTransport
import NIOCore
import Payloads

/// What a participant says to the room.
extension Member {
    /// How others are shown it in texts.
    var shownName: String { nickname ?? displayName ?? uri }

    /// Its a=chatroom says that it can tell them from regular ones (RFC 7701 section 8); without CPIM nobody can.
    var takesPrivateMessages: Bool { media.supportsPrivateMessages && media.format == .cpim }

    func take(_ message: Message, _ pending: EndpointSession.PendingResponse, from connection: Connection) {
        let verdict = chat.judge(
            body: message.body, contentType: message.contentType, dateTime: mixer.dateTime())
        var status = Status.ok
        var isPrivate = false
        switch verdict {
        // RFC 7701 sections 6.1 and 6.2
        case .deliver(_, .room) where !rights.speaks: status = .forbidden
        case .deliver(_, .participant) where !rights.speaksPrivately: status = .forbidden
        case .deliver where isRepeated(message.messageID): break
        case .deliver(let envelope, let audience):
            isPrivate = audience != .room
            status = room.accept(envelope, for: audience, from: self)
            if status == .ok { remember(message.messageID) }
        case .drop: break
        case .refuse(let refusal): status = refusal
        }
        if status == .ok {
            mixer.counters.messagesAccepted &+= 1
        } else {
            mixer.counters.messagesRefused &+= 1
        }
        connection.withOutput { output in
            session.respond(pending, status, into: &output)
            guard status == .ok else { return }
            let content = isPrivate && message.successReport == .yes ? Self.addresses(of: message.body) : nil
            session.report(on: message, status, content: content, into: &output)
        }
        peerBound()
    }

    /// What a REPORT on a private message carries: "a Message/CPIM wrapper containing the original From header field
    /// [...] and the To header field" (RFC 7701 section 6.2).
    static func addresses(of octets: ByteBuffer) -> ByteBuffer? {
        octets.withUnsafeReadableBytes { bytes in
            (try? CPIMMessage(parsing: bytes, isWhole: false)).map { ByteBuffer(bytes: $0.addresses) }
        }
    }

    /// A copy was refused by its receiver, or by a relay on the way; the sender is not told (RFC 7701 section 6.3).
    func noteFailure(_ status: Status) {
        mixer.counters.deliveryFailures &+= 1
        failures &+= 1
        if let failuresLogged, mixer.now - failuresLogged < Self.timeBetweenLogLines { return }
        failuresLogged = mixer.now
        mixer.logger.info(
            "a participant refuses messages",
            metadata: [
                "room": "\(room.address)", "member": "\(id)", "status": "\(status)",
                "since the last time": "\(failures)",
            ])
        failures = 0
    }

    private static let timeBetweenLogLines = TimeAmount.seconds(60)

    /// The room's limit, which may change (413 above).
    func noteMaximumSize() { session.configuration.maxMessageSize = room.maximumMessageSize }
}
