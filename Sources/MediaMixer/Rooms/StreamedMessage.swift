import Logging
import MSRP
import NIOCore

/// A large message on its way through the room while it is still coming in (RFC 7701 section 6.1): distribution begins
/// with the CPIM head, who receives it is settled then, and each of them gets all of it or `#`.
///
/// What it holds: octets up to the end of the CPIM head, then one piece that is being filled; the pieces that are made
/// are the receivers' queues', shared. And once, for all who take it in one SEND only, all of it, within the mixer's
/// reassembly budget.
final class StreamedMessage {
    /// Who receives a message, and how.
    struct Receivers {
        var inPieces: [Member] = []
        var whole: [Member] = []
    }

    private enum Phase {
        /// The head has not come yet.
        case gathering
        case passing
        /// Taken and not passed on.
        case ignored
    }

    let incoming: EndpointSession.IncomingStream
    /// Octets that came in.
    private(set) var size = 0
    private let room: Room
    private var phase = Phase.gathering
    private var gathered = ByteBuffer()
    private var judgements = 0
    private var judgedAt = 0
    private var outgoing: ChunkedMessage?
    private var receivers: [Member] = []
    private var assembly: Assembly?
    /// What a success REPORT carries (RFC 7701 section 6.2); nil: nothing.
    var reportContent: ByteBuffer?

    /// The message put together for those who take it in one SEND only.
    private struct Assembly {
        let opening: ChatSessionState.Opening
        let receivers: [Member]
        var cpim = ByteBuffer()
    }

    private var mixer: Mixer { room.mixer }
    var messageID: MessageID { incoming.messageID }

    init(_ incoming: EndpointSession.IncomingStream, in room: Room) {
        self.incoming = incoming
        self.room = room
    }

    // MARK: Until the head is there

    /// Octets from the message's start, to judge it by; nil when it has been judged, or when too little has come since
    /// the last time for another try.
    func toJudge(isWhole: Bool) -> ByteBuffer? {
        guard case .gathering = phase else { return nil }
        // A head that comes octet by octet is not parsed for each of them.
        let isDue = judgements < Self.mostEagerJudgements || gathered.readableBytes - judgedAt >= Self.lazyStep
        guard isWhole || isDue else { return nil }
        judgements += 1
        judgedAt = gathered.readableBytes
        return gathered
    }

    private static let mostEagerJudgements = 64
    private static let lazyStep = 256

    /// The message is answered as if it were passed on.
    func ignore() {
        phase = .ignored
        gathered = ByteBuffer()
    }

    // MARK: Passing it on

    /// The head is there: from now on octets go to the receivers.
    func open(_ opening: ChatSessionState.Opening, to receivers: Receivers, now: NIODeadline) {
        var octets = gathered
        gathered = ByteBuffer()
        phase = .passing
        octets.moveReaderIndex(forwardBy: min(opening.replaced, octets.readableBytes))
        if !receivers.whole.isEmpty { assembly = Assembly(opening: opening, receivers: receivers.whole) }
        if !receivers.inPieces.isEmpty {
            self.receivers = receivers.inPieces
            outgoing = ChunkedMessage(
                contentType: "message/cpim", total: Self.total(of: incoming, opening), mixer: mixer)
        }
        pass(opening.head, now: now)
        pass(octets, now: now)
        flush(now: now)
    }

    /// Octets of what goes out; nil when that isn't known.
    static func total(of incoming: EndpointSession.IncomingStream, _ opening: ChatSessionState.Opening) -> UInt64? {
        // The replaced octets have come, and a stream's total is at most the largest message: nothing overflows.
        incoming.total.map { $0 &+ UInt64(opening.head.readableBytes) &- UInt64(min(UInt64(opening.replaced), $0)) }
    }

    /// The next octets of the message.
    func take(_ octets: ByteBuffer, now: NIODeadline) {
        size += octets.readableBytes
        switch phase {
        // A copy: the octets lie in the connection's read buffer.
        case .gathering: gathered.writeImmutableBuffer(octets)
        case .passing: pass(octets, now: now)
        case .ignored: break
        }
    }

    private func pass(_ octets: ByteBuffer, now: NIODeadline) {
        if assembly != nil { assemble(octets) }
        guard let outgoing else { return }
        var rest = octets
        while rest.readableBytes > 0 {
            if let piece = outgoing.write(&rest) { send(piece, now: now) }
        }
    }

    /// What has come goes out, be it less than a piece: the sender has ended a chunk.
    func flush(now: NIODeadline) {
        if let outgoing, outgoing.hasOpenOctets { send(outgoing.seal(.more), now: now) }
    }

    private func send(_ piece: ChunkedMessage.Piece, now: NIODeadline) {
        // Nobody comes or goes meanwhile: see Room.
        receivers = receivers.filter { $0.deliver(piece, now: now) }
        if receivers.isEmpty { outgoing = nil }
    }

    // MARK: The end

    /// All octets have come.
    func complete(now: NIODeadline) {
        if let outgoing { send(outgoing.seal(.complete), now: now) }
        outgoing = nil
        receivers = []
        guard let assembly else { return }
        dropAssembly()
        let envelope = Envelope(
            cpim: assembly.cpim, contentType: assembly.opening.contentType,
            contentStart: assembly.opening.contentStart, senderName: assembly.opening.senderName)
        let fanout = Fanout(envelope, mixer: mixer)
        for member in assembly.receivers where member.takesAssembled(self) {
            member.deliver(fanout, whole: true, now: now)
        }
    }

    /// No more of it comes: who has begun to receive it is told so.
    func abort() {
        guard phase != .ignored else { return }
        if let outgoing {
            for member in receivers { member.abort(outgoing) }
            mixer.counters.streamsAborted &+= 1
        }
        outgoing = nil
        receivers = []
        for member in assembly?.receivers ?? [] { _ = member.takesAssembled(self) }
        dropAssembly()
        phase = .ignored
    }

    // MARK: Those who take it whole

    private func assemble(_ octets: ByteBuffer) {
        guard octets.readableBytes <= mixer.reassemblyBudgetLeft else {
            mixer.counters.streamsUnassembled &+= 1
            mixer.logger.notice(
                "a large message doesn't reach participants that take it in one piece only: the reassembly budget is used up",
                metadata: ["room": "\(room.address)", "participants": "\(assembly?.receivers.count ?? 0)"])
            for member in assembly?.receivers ?? [] { _ = member.takesAssembled(self) }
            return dropAssembly()
        }
        mixer.noteHeld(octets.readableBytes)
        assembly?.cpim.writeImmutableBuffer(octets)
    }

    private func dropAssembly() {
        guard let assembly else { return }
        mixer.noteHeld(-assembly.cpim.readableBytes)
        self.assembly = nil
    }
}

@available(*, unavailable)
extension StreamedMessage: Sendable {}
