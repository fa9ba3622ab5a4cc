import MSRP
import MSRPTransport
import NIOCore

/// One side of a relay session, the client's or the peer's: what comes from it, and what was passed on to it.
///
/// Its messages are taken here and, in the extensions, passed on to the other side.
final class Side {
    /// Octets in the body of a message that is not a SEND (RFC 4975 section 7.1).
    static let longestBody = 10_240

    /// What reading from this side waits for.
    struct Holds: OptionSet {
        let rawValue: UInt8

        /// A connection to the peer
        static let connecting = Holds(rawValue: 1)
        /// The end of another's chunk on the other side's connection
        static let turn = Holds(rawValue: 2)
        /// The other side to take what waits for it
        static let window = Holds(rawValue: 4)
        /// Answers to what was passed on
        static let answers = Holds(rawValue: 8)
        /// Its rate
        static let rate = Holds(rawValue: 16)
    }

    /// What becomes of the message that is coming in.
    enum Phase {
        case nothing
        /// Judged at its head; the rest is of no interest.
        case settled
        /// A SEND or request that waits at its head until it can be passed on.
        case pending
        /// A SEND without content for the relay itself.
        case local
        /// A SEND without content, passed on whole at its end.
        case empty
        /// A SEND whose body is passed on as it comes.
        case chunk
        /// A SEND that cannot be passed on: its sender hears so at its end.
        case unreachable(Status)
        /// A request other than SEND, or the response to one, collected until its end.
        case whole
    }

    unowned let session: RelaySession
    let relay: Relay
    let isClient: Bool
    var leg: Leg?
    var paths: SidePaths
    private(set) var holds: Holds = []

    // What comes from this side.
    var phase = Phase.nothing
    var head: Head?
    var fields: SendFields?
    var chunk = ForwardedChunk()
    var body = ByteBuffer()
    /// The SEND that is coming in was answered already.
    var isAnswered = false
    /// What the response that is coming in answers.
    var answering: PassedRequests.Entry?
    /// Parts that came behind one that waits; transport hands out no more meanwhile.
    private var held: [Part] = []
    private(set) var octets: UInt64 = 0
    var messages: UInt64 = 0
    var rates: SideRates?

    // What was passed on to this side.
    var hop = HopState()
    var requests = PassedRequests()

    init(session: RelaySession, isClient: Bool, paths: SidePaths) {
        self.session = session
        relay = session.relay
        self.isClient = isClient
        self.paths = paths
    }

    var other: Side { isClient ? session.peer : session.client }

    // MARK: Taking parts

    func receive(_ part: Part) {
        guard held.isEmpty, !isBlocked else {
            held.append(part)
            return
        }
        take(part)
    }

    private func take(_ part: Part) {
        switch part {
        case .head(let head):
            count(head.bytes.readableBytes)
            takeHead(head)
        case .body(let bytes):
            count(bytes.readableBytes)
            takeBody(bytes)
        case .outgoingEndLine:
            if chunk.isOpen { interrupt() }
        case .end(let continuation):
            takeEnd(continuation)
        }
    }

    private func takeHead(_ head: Head) {
        phase = .settled
        switch head.kind {
        case .response(let status): takeResponse(head, status)
        case .request(.send): takeSend(head)
        case .request(.report): takeReport(head)
        case .request(.auth): takeAuth(head)
        case .request: takeRequest(head)
        }
    }

    private func takeBody(_ bytes: ByteBuffer) {
        switch phase {
        case .chunk:
            passBody(bytes)
        case .whole:
            guard body.readableBytes + bytes.readableBytes <= Self.longestBody else {
                if let head, head.status == nil { refuse(head, .stopSending) }
                return finish(.settled)
            }
            body.writeImmutableBuffer(bytes)
        case .unreachable:
            chunk.pass(bytes.readableBytes)
        case .nothing, .settled, .pending, .local, .empty: break
        }
    }

    private func takeEnd(_ continuation: Continuation) {
        switch phase {
        case .chunk:
            guard endChunk(continuation) else { return }
        case .empty:
            passEmpty(continuation)
        case .local:
            if let head, fields?.failureReport == .yes { writeAnswer(head, .ok) }
        case .unreachable(let status):
            endUnreachable(status)
        case .whole:
            passWhole(continuation)
        case .nothing, .settled, .pending: break
        }
        finish(.nothing)
        heedWindows()
    }

    /// The rest of the message, or what comes next, is treated so.
    func finish(_ phase: Phase) {
        self.phase = phase
        head = nil
        fields = nil
        answering = nil
        isAnswered = false
        if body.capacity > 0 { body = ByteBuffer() }
    }

    /// A part that cannot be passed on before its turn.
    func postpone(_ part: Part) {
        held.append(part)
        hold(.turn)
    }

    // MARK: Waiting

    /// Whether parts that come must wait.
    private var isBlocked: Bool { !holds.isDisjoint(with: [.connecting, .turn, .answers]) }

    func hold(_ reason: Holds) {
        holds.insert(reason)
        leg?.connection.pauseReading(by: session)
    }

    /// What was waited for has come.
    func release(_ reason: Holds) {
        guard holds.contains(reason) else { return }
        holds.remove(reason)
        guard !isBlocked else { return }
        if case .pending = phase { begin() }
        if !held.isEmpty {
            let parts = held
            held = []
            for part in parts { receive(part) }
        }
        if holds.isEmpty { leg?.connection.resumeReading(by: session) }
    }

    func turnCame() { release(.turn) }
    func windowOpened() { release(.window) }

    // MARK: Counting

    private func count(_ octets: Int) {
        self.octets &+= UInt64(truncatingIfNeeded: octets)
        if isClient {
            relay.counters.bytesFromClients &+= UInt64(truncatingIfNeeded: octets)
        } else {
            relay.counters.bytesFromPeers &+= UInt64(truncatingIfNeeded: octets)
        }
        if let rates, !rates.take(octets, now: .now()) { hold(.rate) }
    }

    func ticked(at now: NIODeadline) {
        if holds.contains(.rate), let rates, rates.isOpen(now: now) { release(.rate) }
        leg?.ticked()
    }

    // MARK: Telling this side

    /// Answers a request of this side, obeying its Failure-Report (RFC 4975 section 7.2).
    func writeAnswer(_ head: Head, _ status: Status) {
        leg?.writeWhole { _ = Frame.writeRefusal(of: head, status: status, into: &$0) }
    }

    /// Answers at once; the rest of the message is skipped.
    func refuse(_ head: Head, _ status: Status) {
        relay.counters.countRefusal(status.code)
        writeAnswer(head, status)
        finish(.settled)
    }

    /// Tells this side that a SEND of it failed further on (RFC 4976 section 6.4.1).
    func report(_ failure: HopState.Failure) {
        guard let leg, paths.isFixed else { return }
        relay.counters.reportsMade &+= 1
        let id = TransactionID(relay.ids.next())
        leg.writeWhole { buffer in
            paths.from.withUnsafeReadableBytes { toPath in
                Frame.writeReport(
                    id: id, toPath: toPath, fromPath: paths.own, messageID: failure.messageID,
                    byteRange: failure.range, status: failure.status, into: &buffer)
            }
        }
    }

    /// A SEND that is still waiting to be passed on when the session ends.
    func reportPending() {
        guard case .pending = phase, let head, let fields, fields.failureReport != .no,
            let messageID = Self.messageID(head, fields)
        else { return }
        report(HopState.Failure(messageID: messageID, range: fields.range, status: .timeout))
    }

    /// Address and port, for people.
    var address: String {
        leg?.connection.remotePlace ?? "unknown"
    }

    // MARK: The end

    /// The connection is gone, or no more is taken from it; what was written is kept.
    func detach() {
        held = []
        other.leg?.forget(self)
        leg?.forget(self)
        leg?.forget(other)
        leg = nil
        finish(.settled)
    }
}

@available(*, unavailable)
extension Side: Sendable {}
