package import MSRP
package import NIOCore
import NIOGnuTLS

/// One transport connection to a peer, confined to its event loop.
///
/// Its bytes are split into parts for the owners of the sessions that its requests name: see Connection+Reading.swift
/// and Connection+Owners.swift. With several loops it moves to the one of the session that it names first: see
/// Connection+Moving.swift. What is enqueued is written by the `OutboundScheduler` at the end of the turn: see
/// Connection+Output.swift.
package final class Connection {
    package let transport: TransportLoop

    // What each turn touches comes first, so that it lies side by side: with many connections the processor's caches
    // hold little more.
    /// What stands between what is enqueued and the socket.
    var obstacles = Obstacles.noSocket
    /// The socket, for writing to it at once while there are no obstacles.
    var descriptor: CInt = -1
    var closing: ClosingMode?
    var isClosed = false
    var isMarked = false
    /// `output` was used since the scheduler last looked for buffers that nobody uses.
    var isOutputInUse = false
    var isHolder = false
    /// The parser has seen nothing of the next message yet.
    var isBetweenMessages = true
    /// Parts are being taken out of what was read.
    var isSplitting = false
    var isAutoReading = true
    /// What comes waits until it is asked for; see Connection+Gathering.swift.
    package internal(set) var isGathering = false
    /// The peer has closed the connection, but its owners have not taken all that it sent, because they paused.
    var isDraining = false
    /// Octets that were written, handed on or put into the backlog.
    var passedBytes: UInt64 = 0
    var output = ByteBuffer()
    /// The owner that was bound first.
    package internal(set) var owner: (any SessionOwner)?
    /// Those that were bound after it.
    var further: [Tenancy] = []
    /// Who wants reading to be paused.
    var pausers: [ObjectIdentifier] = []
    /// Octets read since the connection was made, TLS taken off.
    package internal(set) var bytesReceived: UInt64 = 0
    /// Bytes the parser could not judge yet, or was not asked to because reading is paused.
    var held: ByteBuffer?

    package let remoteAddress: SocketAddress?
    package let localAddress: SocketAddress?
    /// Opened by us.
    package let isOutbound: Bool
    /// Names this connection in logs.
    package let number: UInt64
    package internal(set) var isTLS = false {
        didSet { if isTLS { obstacles.insert(.tls) } }
    }
    /// What the handshake told; nil without TLS, or when it told nothing.
    var peer: TLSPeer?

    /// The session the connection was bound to first.
    package internal(set) var session: SessionID?
    /// What the owners of this connection share about it; dropped when it closes.
    package var companion: AnyObject?
    /// The id whose end-line must not slip through in the body that is passed on now; see `PartParser.outgoingID`.
    package var outgoingID: TransactionID? {
        get { parser.outgoingID }
        set { parser.outgoingID = newValue }
    }

    /// When a connection that nobody owns, or that is being closed in an orderly way, is closed.
    var deadline: NIODeadline

    // Input; only Connection+Reading.swift and Connection+Owners.swift touch these.
    var parser: PartParser
    /// Of `held`, what counts for `TransportLimits.drainedBytes`.
    var drainedBytes = 0
    /// The AUTH owner was told of this connection.
    var hasAuthOwner = false
    /// Who gets the parts of the message under way.
    var recipient = Recipient.nobody
    /// The connection is about to move to another loop, or has just come from one; see Connection+Moving.swift.
    var departure: Departure?

    // Output; only Connection+Output.swift and the scheduler touch these.
    var context: ChannelHandlerContext?
    /// Enqueued by reference, before `output`.
    var pieces: [ByteBuffer] = []
    var piecesBytes = 0
    /// What the channel takes no more of.
    var backlog = CircularBuffer<ByteBuffer>(initialCapacity: 0)
    var backlogBytes = 0
    /// Octets handed to the channel that the socket has not taken yet; not counted with TLS.
    var channelBytes = 0
    var wantsTurn = false
    var isOrderlyCloseStarted = false
    var isCloseStarted = false
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
    /// What was read is still handed out.
    var isReadable: Bool { closing == nil && (!isClosed || isDraining) }
    package var remoteIP: IPAddress? { remoteAddress.flatMap { IPAddress($0) } }
    /// The peer as operators read it: `192.0.2.7:40312`, `[2001:db8::7]:40312`.
    package var remotePlace: String? {
        guard let remoteAddress, let host = remoteAddress.ipAddress else { return nil }
        return ListenAddress(host: host, port: remoteAddress.port ?? 0).description
    }
    var remoteName: String { remoteAddress?.description ?? "unknown" }

    // MARK: TLS

    /// The peer's own certificate in DER; nil without TLS or when it presented none.
    package var peerCertificate: [UInt8]? { peer?.certificate }

    /// The host the peer asked for (SNI, RFC 6066 section 3); nil without TLS, and on connections we opened.
    package var serverName: String? { peer?.serverName }

    /// Whether the peer presented the certificate that has this digest.
    /// - Parameter hash: as a=fingerprint names it (`sha-256`).
    package func presentedCertificate(hash: String, digest: [UInt8]) -> Bool {
        guard let peerCertificate, let function = HashFunction(rawValue: hash) else { return false }
        return function.digest(of: peerCertificate) == digest
    }

    /// Whether the peer has proved to be this host by mutual TLS (RFC 4976 sections 6.3 and 9.2): its certificate leads to
    /// one of the trust anchors of our context and is for the host by its subjectAltName. Works for connections in both
    /// directions; false without TLS.
    package func peerIsTrusted(for host: String) -> Bool {
        guard let peer, peer.isTrusted, let certificate = peer.certificate else { return false }
        return CertificateName.matches(certificate: certificate, host: host)
    }
}

/// A companion that knows whether a message of some owner is half written.
package protocol OutputArbiter: AnyObject {
    /// Writes a whole message as soon as none is in the way.
    func writeWhole(_ body: (inout ByteBuffer) -> Void)
}

extension Connection {
    /// Writes a whole message, but never into one that an owner is still writing.
    package func writeWhole(_ body: (inout ByteBuffer) -> Void) {
        if let arbiter = companion as? any OutputArbiter {
            arbiter.writeWhole(body)
        } else {
            withOutput(body)
        }
    }
}

/// What a TLS handshake told about the peer.
final class TLSPeer: Sendable {
    let certificate: [UInt8]?
    let serverName: String?
    /// The chain leads to a trust anchor.
    let isTrusted: Bool

    /// Nil when there is nothing to tell.
    init?(_ completed: TLSHandshakeCompleted) {
        guard completed.peerCertificate != nil || completed.serverName != nil else { return nil }
        certificate = completed.peerCertificate
        serverName = completed.serverName
        isTrusted = completed.peerIsTrusted
    }
}

@available(*, unavailable)
extension Connection: Sendable {}
