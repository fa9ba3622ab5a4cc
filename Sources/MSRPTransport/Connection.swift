import Logging
package import MSRP
package import NIOCore
import NIOGnuTLS

/// One transport connection to a peer, confined to its event loop.
///
/// Its bytes are split into parts for the owner of the session its first request named. What is enqueued is written
/// by the `OutboundScheduler` at the end of the turn (see Connection+Output.swift).
package final class Connection {
    package let transport: TransportLoop
    package let remoteAddress: SocketAddress?
    package let localAddress: SocketAddress?
    /// Opened by us.
    package let isOutbound: Bool
    /// Names this connection in logs.
    package let number: UInt64
    package internal(set) var isTLS = false {
        didSet { if isTLS { obstacles.insert(.tls) } }
    }
    /// The peer's own certificate in DER; nil without TLS or when it presented none.
    package internal(set) var peerCertificate: [UInt8]?

    /// The session the connection is bound to.
    package private(set) var session: SessionID?
    package private(set) var owner: (any SessionOwner)?

    /// When a connection that nobody owns, or that is being closed in an orderly way, is closed.
    var deadline: NIODeadline

    private var parser: PartParser
    /// Bytes the parser could not judge yet; a copy, never a slice of what was read.
    private var held: ByteBuffer?
    /// The parser has seen nothing of the next message yet.
    private var isBetweenMessages = true
    private var skipped: Skipped?
    private var isReadPaused = false

    // Output; only Connection+Output.swift and the scheduler touch these.
    var context: ChannelHandlerContext?
    /// What stands between what is enqueued and the socket.
    var obstacles = Obstacles.noSocket
    /// The socket, for writing to it at once while there are no obstacles.
    var descriptor: CInt = -1
    var output = ByteBuffer()
    /// Enqueued by reference, before `output`.
    var pieces: [ByteBuffer] = []
    var piecesBytes = 0
    /// What the channel takes no more of.
    var backlog = CircularBuffer<ByteBuffer>(initialCapacity: 0)
    var backlogBytes = 0
    /// Octets handed to the channel that the socket has not taken yet; not counted with TLS.
    var channelBytes = 0
    /// Octets that were written, handed on or put into the backlog.
    var passedBytes: UInt64 = 0
    var isMarked = false
    /// `output` was used since the scheduler last looked for buffers that nobody uses.
    var isOutputInUse = false
    var isHolder = false
    var wantsTurn = false
    var closing: ClosingMode?
    var isOrderlyCloseStarted = false
    var isCloseStarted = false
    var isClosed = false
    var closeReason: CloseReason?

    struct Obstacles: OptionSet {
        let rawValue: UInt8

        static let noSocket = Obstacles(rawValue: 1)
        static let tls = Obstacles(rawValue: 2)
        static let channelHoldsBytes = Obstacles(rawValue: 4)
        static let backlog = Obstacles(rawValue: 8)
        static let unwritable = Obstacles(rawValue: 16)
        static let pieces = Obstacles(rawValue: 32)
        static let ending = Obstacles(rawValue: 64)

        static let congestion: Obstacles = [.backlog, .unwritable]
    }

    init(
        transport: TransportLoop, remoteAddress: SocketAddress?, localAddress: SocketAddress?, isOutbound: Bool,
        number: UInt64
    ) {
        self.transport = transport
        self.remoteAddress = remoteAddress
        self.localAddress = localAddress
        self.isOutbound = isOutbound
        self.number = number
        self.deadline = .now() + transport.limits.unboundTimeout
        self.parser = PartParser(limits: WireLimits(headBytes: transport.limits.headBytes))
    }

    package var eventLoop: any EventLoop { transport.eventLoop }
    package var isOpen: Bool { !isClosed && closing == nil }
    package var remoteIP: IPAddress? { remoteAddress.flatMap { IPAddress($0) } }

    /// Whether the peer presented the certificate that has this digest.
    /// - Parameter hash: as a=fingerprint names it (`sha-256`).
    package func presentedCertificate(hash: String, digest: [UInt8]) -> Bool {
        guard let peerCertificate, let function = HashFunction(rawValue: hash) else { return false }
        return function.digest(of: peerCertificate) == digest
    }

    var remoteName: String { remoteAddress?.description ?? "unknown" }

    /// The id whose end-line must not slip through in bodies that are passed on; see `PartParser.outgoingID`.
    package var outgoingID: TransactionID? {
        get { parser.outgoingID }
        set { parser.outgoingID = newValue }
    }

    // MARK: Ownership

    /// Gives the connection to an owner.
    /// - Parameter head: the request that named the session; nil for a connection opened for this owner.
    package func attach(to owner: any SessionOwner, session: SessionID?, head: Head?) {
        self.owner = owner
        self.session = session
        transport.untime(self)
        owner.bound(self, head: head)
    }

    /// Takes the connection from its owner: it may name a session again, within the time an unbound one has.
    package func unbind() {
        if let session { transport.sessions.unbind(session, from: self) }
        owner = nil
        session = nil
        guard isOpen else { return }
        deadline = .now() + transport.limits.unboundTimeout
        transport.time(self)
    }

    // MARK: Reading

    /// Stops reading: what the peer sends stays in its socket and soon stops the peer.
    package func pauseReading() {
        guard !isReadPaused else { return }
        isReadPaused = true
        setAutoRead(false)
    }

    package func resumeReading() {
        guard isReadPaused else { return }
        isReadPaused = false
        setAutoRead(true)
    }

    private func setAutoRead(_ value: Bool) {
        guard !isClosed, let context else { return }
        // A channel that is being closed refuses; nothing is read from it any more anyway.
        try? context.channel.syncOptions?.setOption(.autoRead, value: value)
    }

    func received(_ bytes: ByteBuffer) {
        transport.counters.bytesIn &+= UInt64(bytes.readableBytes)
        guard isOpen else { return }
        var buffer: ByteBuffer
        if var start = held {
            held = nil
            start.writeImmutableBuffer(bytes)
            buffer = start
        } else {
            buffer = bytes
        }
        split(&buffer)
        if buffer.readableBytes > 0, isOpen {
            held = ByteBuffer(bytes: buffer.readableBytesView)
        }
    }

    private func split(_ buffer: inout ByteBuffer) {
        while isOpen {
            if isBetweenMessages {
                if buffer.readableBytes == 0 { return }
                if let owner {
                    owner.rawRead(&buffer, from: self)
                    if buffer.readableBytes == 0 || !isOpen { return }
                }
                isBetweenMessages = false
            }
            do throws(WireError) {
                guard let part = try parser.next(&buffer) else { return }
                if case .end = part { isBetweenMessages = true }
                take(part)
            } catch {
                transport.counters.garbage &+= 1
                transport.logger.debug(
                    "closing a connection that does not speak MSRP",
                    metadata: ["connection": "\(number)", "peer": "\(remoteName)", "reason": "\(error)"])
                close(.now, reason: .garbage)
            }
        }
    }

    private func take(_ part: Part) {
        if skipped == nil, let owner {
            owner.part(part, from: self)
            return
        }
        switch part {
        case .head(let head):
            introduce(head)
        case .body, .outgoingEndLine:
            break
        case .end:
            guard let skipped else { return }
            self.skipped = nil
            if let status = skipped.status {
                withOutput { _ = Frame.writeRefusal(of: skipped.head, status: status, into: &$0) }
            }
        }
    }

    /// The first head of a connection nobody owns yet: it names the session (RFC 4975 section 5.4).
    private func introduce(_ head: Head) {
        guard let method = head.method, method != .report else {
            skipped = Skipped(head: head, status: nil)
            return
        }
        if method == .auth {
            guard let authOwner = transport.authOwner else {
                skipped = Skipped(head: head, status: .unknownMethod)
                return
            }
            attach(to: authOwner, session: nil, head: head)
            owner?.part(.head(head), from: self)
            return
        }
        guard let key = head.sessionKey else {
            skipped = Skipped(head: head, status: head.toPath == nil ? .badRequest : .noSuchSession)
            return
        }
        let session = SessionID(text: key)
        switch transport.sessions.bind(session, to: self) {
        case .bound(let owner):
            attach(to: owner, session: session, head: head)
            if isOpen { self.owner?.part(.head(head), from: self) }
        case .unknown:
            transport.counters.unknownSessions &+= 1
            skipped = Skipped(head: head, status: .noSuchSession)
        case .inUse:
            transport.counters.sessionsInUse &+= 1
            skipped = Skipped(head: head, status: .sessionInUse)
        }
    }

    /// A request nobody owns: its body is skipped, and it is answered, unless the status is nil, when it has ended.
    private struct Skipped {
        let head: Head
        let status: Status?
    }

    // MARK: The end

    /// The channel is inactive.
    func channelClosed() {
        guard !isClosed else { return }
        isClosed = true
        obstacles.insert(.ending)
        context = nil
        let reason = closeReason ?? .peerClosed
        held = nil
        dropOutput()
        let owner = owner
        if let session { transport.sessions.unbind(session, from: self) }
        self.owner = nil
        transport.forget(self)
        owner?.closed(self, reason: reason)
    }
}

@available(*, unavailable)
extension Connection: Sendable {}
