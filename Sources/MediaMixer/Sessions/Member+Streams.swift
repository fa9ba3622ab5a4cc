import MSRP
import MSRPTransport
import NIOCore
import Payloads

/// What a participant says to the room in messages so large that they are passed on while they come in.
extension Member {
    func takeStream(_ event: EndpointSession.Event, from connection: Connection) {
        let now = mixer.now
        room.passOn()
        switch event {
        case .streamBegan(let incoming, let octets):
            let stream = StreamedMessage(incoming, in: room)
            streams.append(stream)
            take(octets, of: stream, from: connection, now: now)
        case .streamOctets(let id, let octets):
            if let stream = stream(id) { take(octets, of: stream, from: connection, now: now) }
        case .streamChunkEnded(let id):
            stream(id)?.flush(now: now)
            peerBound()
        case .streamEnded(let id, let end):
            guard let index = streams.firstIndex(where: { $0.messageID == id }) else { return }
            let stream = streams.remove(at: index)
            switch end {
            case .complete(let pending):
                complete(stream, pending, from: connection, now: now)
            case .aborted:
                stream.abort()
            case .refused:
                stream.abort()
                mixer.counters.messagesRefused &+= 1
            }
            peerBound()
        default:
            break
        }
        room.slowDown(self, now: now)
    }

    private func stream(_ id: MessageID) -> StreamedMessage? { streams.first { $0.messageID == id } }

    private func take(
        _ octets: ByteBuffer, of stream: StreamedMessage, from connection: Connection, now: NIODeadline
    ) {
        stream.take(octets, now: now)
        let status = judge(stream, isWhole: false)
        guard status != .ok else { return }
        streams.removeAll { $0 === stream }
        mixer.counters.messagesRefused &+= 1
        connection.withOutput { session.refuseStream(stream.messageID, status, into: &$0) }
    }

    private func complete(
        _ stream: StreamedMessage, _ pending: EndpointSession.PendingResponse, from connection: Connection,
        now: NIODeadline
    ) {
        let status = judge(stream, isWhole: true)
        if status == .ok {
            stream.complete(now: now)
            remember(stream.messageID)
            mixer.counters.messagesAccepted &+= 1
        } else {
            mixer.counters.messagesRefused &+= 1
        }
        connection.withOutput { output in
            session.respond(pending, status, into: &output)
            guard status == .ok else { return }
            session.report(
                on: stream.incoming, size: stream.size, status, content: stream.reportContent, into: &output)
        }
    }

    /// Judges a message by its head, as soon as that is there, and begins to pass it on.
    /// - Returns: what the sender is answered; `.ok` as long as nothing is wrong.
    private func judge(_ stream: StreamedMessage, isWhole: Bool) -> Status {
        guard let octets = stream.toJudge(isWhole: isWhole) else { return .ok }
        let verdict = chat.judge(
            head: octets, isWhole: isWhole, contentType: stream.incoming.contentType, dateTime: mixer.dateTime())
        switch verdict {
        case .incomplete: return isWhole || octets.readableBytes > Self.mostBeforeJudgement ? .badRequest : .ok
        // RFC 7701 sections 6.1 and 6.2
        case .open(let opening) where opening.audience == .room && !rights.speaks: return .forbidden
        case .open(let opening) where opening.audience != .room && !rights.speaksPrivately: return .forbidden
        case .open where isRepeated(stream.messageID):
            stream.ignore()
            return .ok
        case .open(let opening):
            if opening.audience != .room, stream.incoming.head.successReport == .yes {
                stream.reportContent = Self.addresses(of: octets)
            }
            return room.begin(stream, opening, from: self)
        case .drop:
            stream.ignore()
            return .ok
        case .refuse(let status): return status
        }
    }

    /// Octets in which a CPIM head, and the few that are looked at behind it, must have come.
    private static let mostBeforeJudgement = CPIMLimits().head + 1024

    /// Nothing came of a message for the chunk reception time: it counts as aborted (RFC 7701 section 6.1).
    func expireStreams(now: NIODeadline) {
        guard !streams.isEmpty else { return }
        for id in session.expireStreams(now: now) {
            stream(id)?.abort()
            streams.removeAll { $0.messageID == id }
        }
    }

    /// The participant's session is over: its messages that are under way end here.
    func abortStreams() {
        let ended = streams
        streams = []
        for stream in ended { stream.abort() }
    }
}
