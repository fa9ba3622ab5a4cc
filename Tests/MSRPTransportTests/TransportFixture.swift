import Logging
import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Support
import Synchronization

/// A transport with one listener on a free loopback port.
struct TransportFixture {
    let group: MultiThreadedEventLoopGroup
    let transport: TransportHandle
    let address: Support.SocketAddress

    init(
        configuration: TransportConfiguration = TransportConfiguration(), host: String = "127.0.0.1", loops: Int = 1
    ) async throws {
        group = MultiThreadedEventLoopGroup(numberOfThreads: loops)
        var configuration = configuration
        // Test clients don't close first.
        configuration.limits.lingerTimeout = .milliseconds(20)
        var logger = Logger(label: "test")
        logger.logLevel = .critical
        transport = await TransportHandle.start(
            on: Array(group.makeIterator()), configuration: configuration, logger: logger)
        let addresses = try await transport.listen(on: [ListenAddress(host: host, port: 0)])
        address = Support.SocketAddress(host: host, port: UInt16(addresses.first?.port ?? 0))
    }

    func connect() throws -> ByteStream { try ByteStream(to: address) }

    /// Connects out for an owner of its own.
    func open(_ destination: Destination, on loop: Int = 0) async -> Result<OwnerLog, ConnectError> {
        let log = OwnerLog()
        let outcome = transport.eventLoop.makePromise(of: Result<OwnerLog, ConnectError>.self)
        await transport.perform(on: loop) { transport in
            let owner = RecordingOwner(log: log)
            log.keep(NIOLoopBound(owner, eventLoop: transport.eventLoop))
            transport.connector.connect(to: destination, owner: owner, session: nil) { result in
                outcome.succeed(result.map { _ in log })
            }
        }
        return (try? await outcome.futureResult.get()) ?? .failure(.shuttingDown)
    }

    /// Lets the loop come round until the condition holds; its limit only ends a test that fails.
    func until(
        within seconds: Double = 10, on loop: Int = 0, _ condition: @escaping @Sendable (TransportLoop) -> Bool
    ) async throws {
        let deadline = Deadline.after(seconds: seconds)
        while await !transport.perform(on: loop, condition) {
            if deadline.passed { throw SupportError("it did not happen") }
        }
    }

    func end() async throws {
        await transport.shutdown()
        try await group.shutdownGracefully()
    }

    /// Reserves a session for an owner that answers every SEND with 200 and notes what happens.
    func reserve(
        on loop: Int = 0, deadline: NIODeadline? = nil, sharing: ConnectionSharing = .alone,
        admission: Admission? = nil,
        react: @escaping @Sendable (RecordingOwner, Part, Connection) -> Void = { _, _, _ in }
    ) async -> (session: String, log: OwnerLog) {
        let log = OwnerLog()
        let session = await transport.perform(on: loop) { transport in
            let owner = RecordingOwner(log: log)
            owner.sharing = sharing
            owner.admission = admission
            owner.react = react
            log.keep(NIOLoopBound(owner, eventLoop: transport.eventLoop))
            return transport.sessions.reserve(owner: owner, deadline: deadline)?.text ?? ""
        }
        return (session, log)
    }
}

extension TransportFixture {
    /// A session of its own, and the peer that has bound it.
    func bound(
        isTLS: Bool = false, sharing: ConnectionSharing = .alone
    ) async throws -> (session: String, log: OwnerLog, stream: ByteStream) {
        let (session, log) = await reserve(sharing: sharing)
        let stream = isTLS ? try TLSByteStream(to: address) : try connect()
        try stream.send(emptySend(session))
        _ = try stream.expect(response(session, "200 OK"))
        return (session, log, stream)
    }
}

/// What happened to an owner, readable from the test's thread.
final class OwnerLog: Sendable {
    private let state = Mutex<(events: [String], owner: NIOLoopBound<RecordingOwner>?)>(([], nil))

    func note(_ event: String) { state.withLock { $0.events.append(event) } }
    func keep(_ owner: NIOLoopBound<RecordingOwner>) { state.withLock { $0.owner = owner } }
    private let raw = Mutex(0)
    func noteRawRead() { raw.withLock { $0 += 1 } }
    var rawReads: Int { raw.withLock { $0 } }
    var owner: NIOLoopBound<RecordingOwner>? { state.withLock { $0.owner } }
    var events: [String] { state.withLock { $0.events } }
}

final class RecordingOwner: SessionOwner {
    private let log: OwnerLog
    private var head: Head?
    var connection: Connection?
    var sharing = ConnectionSharing.alone
    var isAnswering = true
    var resumesWhenWritable = false
    /// It asks for its next turn in each turn.
    var asksAgain = false
    var status = Status.ok
    /// Nil: the usual one.
    var admission: Admission?
    /// What the owner does within each call of `part`, before it is noted.
    var react: @Sendable (RecordingOwner, Part, Connection) -> Void = { _, _, _ in }

    init(log: OwnerLog) { self.log = log }

    func bound(_ connection: Connection, head: Head?) {
        self.connection = connection
        log.note("bound")
    }

    func sharing(on connection: Connection) -> ConnectionSharing { sharing }

    func admits(_ connection: Connection, head: Head, session: SessionID) -> Admission {
        admission ?? (connection.transport.sessions.isFree(session, for: connection) ? .yes : .no(.sessionInUse))
    }

    func rawRead(_ buffer: inout ByteBuffer, from connection: Connection) { log.noteRawRead() }

    func writable(_ connection: Connection) {
        if asksAgain { return connection.notifyWhenWritable() }
        log.note("writable")
        if resumesWhenWritable { connection.resumeReading(by: self) }
    }

    func part(_ part: Part, from connection: Connection) {
        react(self, part, connection)
        switch part {
        case .head(let head): self.head = head
        case .body(let bytes): log.note("body \(bytes.readableBytes)")
        case .outgoingEndLine: break
        case .end:
            guard let head else { return }
            log.note("end \(head.methodName)")
            guard isAnswering else { return }
            connection.withOutput { _ = Frame.writeRefusal(of: head, status: status, into: &$0) }
        }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        self.connection = nil
        log.note("closed \(reason)")
    }

    func reservationExpired(_ session: SessionID) { log.note("expired") }
}

@available(*, unavailable)
extension RecordingOwner: Sendable {}

func emptySend(_ session: String, id: String = "a1b2c3d4", extra: String = "") -> String {
    "MSRP \(id) SEND\r\nTo-Path: msrp://127.0.0.1:2855/\(session);tcp\r\n"
        + "From-Path: msrp://127.0.0.1:9/peer;tcp\r\nMessage-ID: m\(id)\r\nByte-Range: 1-0/0\r\n\(extra)"
        + "-------\(id)$\r\n"
}

/// A SEND with a body and a Content-Type.
func send(_ session: String, _ body: String, id: String = "a1b2c3d4", extra: String = "") -> String {
    "MSRP \(id) SEND\r\nTo-Path: msrp://127.0.0.1:2855/\(session);tcp\r\n"
        + "From-Path: msrp://127.0.0.1:9/peer;tcp\r\nMessage-ID: m\(id)\r\n\(extra)"
        + "Content-Type: text/plain\r\n\r\n\(body)\r\n-------\(id)$\r\n"
}

func response(_ session: String, _ status: String, id: String = "a1b2c3d4") -> String {
    "MSRP \(id) \(status)\r\nTo-Path: msrp://127.0.0.1:9/peer;tcp\r\n"
        + "From-Path: msrp://127.0.0.1:2855/\(session);tcp\r\n-------\(id)$\r\n"
}

extension ByteStream {
    /// Reads until as many octets are there as expected, or the peer closed.
    func expect(_ text: String, within seconds: Double = 5) throws -> String {
        let deadline = Deadline.after(seconds: seconds)
        var bytes: [UInt8] = []
        while bytes.count < text.utf8.count, let more = try receiveIfAny(deadline), !more.isEmpty { bytes += more }
        return String(decoding: bytes, as: UTF8.self)
    }
}
