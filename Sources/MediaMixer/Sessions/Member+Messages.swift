import MSRP
import MSRPTransport
import NIOCore

/// What a participant says to the room.
extension Member {
    /// Its a=chatroom says that it can tell them from regular ones (RFC 7701 section 8); without CPIM nobody can.
    var takesPrivateMessages: Bool { media.supportsPrivateMessages && media.format == .cpim }

    func take(_ message: Message, _ pending: EndpointSession.PendingResponse, from connection: Connection) {
        let verdict = chat.judge(
            body: message.body, contentType: message.contentType, dateTime: mixer.dateTime())
        var status = Status.ok
        switch verdict {
        // RFC 7701 sections 6.1 and 6.2
        case .deliver(_, .room) where !rights.speaks: status = .forbidden
        case .deliver(_, .participant) where !rights.speaksPrivately: status = .forbidden
        case .deliver where isRepeated(message.messageID): break
        case .deliver(let envelope, let audience):
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
            if status == .ok { session.report(on: message, status, into: &output) }
        }
        peerBound()
    }
}
