import MSRP
import NIOCore

extension Room {
    /// The head of a large message is there: who receives it is settled now (RFC 7701 section 6.1).
    /// - Returns: what its sender is answered; with `.ok` the stream goes on.
    func begin(_ stream: StreamedMessage, _ opening: ChatSessionState.Opening, from sender: Member) -> Status {
        // Messages begin in the same order for everybody.
        passOn()
        let candidates: [Member]
        switch opening.audience {
        case .room:
            candidates = members.filter { $0 !== sender }
        case .participant(let uri):
            switch privateReceivers(uri, from: sender) {
            case .members(let members): candidates = members
            case .nobody(.ok): candidates = []
            case .nobody(let status): return status
            }
        }
        let now = mixer.now
        let size = StreamedMessage.total(of: stream.incoming, opening)
        var receivers = StreamedMessage.Receivers()
        for member in candidates {
            switch member.reception(of: opening, size: size, now: now) {
            case .nothing: break
            case .inPieces: receivers.inPieces.append(member)
            case .whole:
                receivers.whole.append(member)
                member.expectAssembled(stream)
            }
        }
        mixer.counters.streams &+= 1
        mixer.counters.deliveries &+= UInt64(receivers.inPieces.count + receivers.whole.count)
        stream.open(opening, to: receivers, now: now)
        return .ok
    }
}
