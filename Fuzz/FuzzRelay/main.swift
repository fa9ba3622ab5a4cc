import CFuzzDriver
import Logging
import MSRP
import NIOCore
import NIOEmbedded

@testable import MSRPTransport
@testable import RelayCore

/// The octets are a play between a client of the relay and its peer: each step says who does what, and how much of what
/// follows it says itself. Whatever they do, the relay lives on, what it writes can be read, and what it remembers is
/// bounded.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRelay(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let play = Play()
    var script = Array(UnsafeBufferPointer(start: data, count: size))[...]
    while let step = script.popFirst(), play.goesOn { play.perform(step, &script) }
    play.end()
    return 0
}

/// One end of a session: a channel, and what its connection has read and is owed.
private final class Actor {
    let channel: EmbeddedChannel
    let connection: Connection
    var path = ""
    var toPath = ""
    /// Of the message it is writing.
    var openID: String?
    var sent = 0
    /// Requests it read and has not answered.
    var unanswered: [(id: TransactionID, isSend: Bool)] = []
    private var parser = PartParser()
    private var read = ByteBuffer()
    private var readsRequest = false

    init?(_ transport: TransportLoop, _ loop: EmbeddedEventLoop) {
        channel = EmbeddedChannel(loop: loop)
        guard let connection = transport.admit(channel, isOutbound: false) else { return nil }
        self.connection = connection
        try? channel.pipeline.syncOperations.addHandler(ConnectionHandler(connection: connection))
        guard let address = try? SocketAddress(ipAddress: "127.0.0.1", port: 9) else { return nil }
        channel.connect(to: address, promise: nil)
    }

    func write(_ bytes: [UInt8]) {
        guard channel.isActive, connection.isOpen, !connection.isReadingPaused else { return }
        _ = try? channel.writeInbound(ByteBuffer(bytes: bytes))
    }

    func write(_ text: String) { write(Array(text.utf8)) }

    /// Reads what the relay wrote: whole heads without a defect, and the ends of all bodies.
    func readAll() {
        while let bytes = try? channel.readOutbound(as: ByteBuffer.self) { read.writeImmutableBuffer(bytes) }
        do throws(WireError) {
            while let part = try parser.next(&read) {
                switch part {
                case .head(let head):
                    precondition(head.defect == nil && head.toPath != nil && head.fromPath != nil)
                    if let method = head.method, method != .report, unanswered.count < 100 {
                        unanswered.append((head.transactionID, method == .send))
                    }
                case .body, .outgoingEndLine, .end: break
                }
            }
        } catch {
            preconditionFailure("the relay wrote what cannot be read: \(error)")
        }
    }

    var isBetweenMessages: Bool { parser.isAtMessageStart && read.readableBytes == 0 }
}

private final class Play {
    private let loop = EmbeddedEventLoop()
    private let transport: TransportLoop
    private let relay: Relay
    private let client: Actor
    private let peer: Actor
    private let session: RelaySession
    private var number = 0

    var goesOn: Bool { client.connection.isOpen && peer.connection.isOpen }

    init() {
        var logger = Logger(label: "fuzz")
        logger.logLevel = .critical
        transport = TransportLoop(
            eventLoop: loop, place: .only, share: TransportShare(count: 1), sessions: SessionCount(),
            configuration: TransportConfiguration(), logger: logger)
        var configuration = RelayConfiguration(hostname: "r", port: 1)
        configuration.windowBytes = 1024
        relay = Relay(transport: transport, configuration: configuration, logger: logger)
        guard let client = Actor(transport, loop), let peer = Actor(transport, loop),
            let way = Path("msrp://c:1/alice;tcp"), let head = Play.head
        else { preconditionFailure("no stage") }
        let opened = relay.open(
            account: RelayAccount(username: "alice", realm: "r"), over: client.connection, authHead: head,
            clientPath: way, expires: nil, isRelayPeer: false)
        guard let session = opened as? RelaySession else { preconditionFailure("no session") }
        self.session = session
        self.client = client
        self.peer = peer
        client.path = way.description
        peer.path = "msrp://p:2/bob;tcp"
        client.toPath = "\(session.usePath) \(peer.path)"
        peer.toPath = "\(session.usePath) \(client.path)"
        // Nobody can be connected to.
        transport.isClosing = true
    }

    private static let head: Head? = {
        var parser = PartParser()
        var bytes = ByteBuffer(string: "MSRP a AUTH\r\nTo-Path: msrp://r:1;tcp\r\n-------a$\r\n")
        guard case .head(let head)? = try? parser.next(&bytes) else { return nil }
        return head
    }()

    func perform(_ step: UInt8, _ script: inout ArraySlice<UInt8>) {
        let actor = step & 1 == 0 ? client : peer
        number += 1
        switch step >> 1 & 15 {
        case 0: actor.write(take(&script))
        case 1, 2: begin(actor, range: "1-*/*", &script)
        case 3: begin(actor, range: "1-\(script.popFirst() ?? 0)/\(script.popFirst() ?? 0)", &script)
        case 4:
            guard actor.openID != nil else { return }
            actor.write(take(&script))
        case 5:
            guard actor.openID != nil else { return }
            actor.write([UInt8](repeating: 0x61, count: 97 * Int(script.popFirst() ?? 0)))
        case 6, 7: finish(actor, ["$", "+", "#"][Int(step >> 5) % 3])
        case 8: respond(actor, "200 OK")
        case 9: respond(actor, "\(200 + Int(script.popFirst() ?? 0)) Whatever")
        case 10: request(actor, ["REPORT", "NICKNAME", "FILE_OFFSET", "AUTH"][Int(step >> 5) % 4], &script)
        case 11: request(actor, "SEND", &script)
        case 12: loop.advanceTime(by: .seconds(1))
        case 13: actor.channel.isWritable.toggle()
        case 14:
            actor.channel.pipeline.fireChannelWritabilityChanged()
            loop.run()
        default:
            transport.ticked(at: .now() + .seconds(Int64(step >> 5) * 10))
        }
        transport.scheduler.flush()
        loop.run()
        client.readAll()
        peer.readAll()
        checkBounds()
    }

    private func take(_ script: inout ArraySlice<UInt8>) -> [UInt8] {
        let count = Int(script.popFirst() ?? 0)
        defer { script = script.dropFirst(count) }
        return Array(script.prefix(count))
    }

    private func begin(_ actor: Actor, range: String, _ script: inout ArraySlice<UInt8>) {
        guard actor.openID == nil else { return finish(actor, "$") }
        let id = "t\(number)"
        let report = ["", "Failure-Report: partial\r\n", "Failure-Report: no\r\n"][Int(script.popFirst() ?? 0) % 3]
        actor.openID = id
        actor.write(
            "MSRP \(id) SEND\r\nTo-Path: \(actor.toPath)\r\nFrom-Path: \(actor.path)\r\nMessage-ID: m\(number)\r\n"
                + "Byte-Range: \(range)\r\n\(report)Content-Type: a/b\r\n\r\n")
    }

    private func finish(_ actor: Actor, _ flag: String) {
        guard let id = actor.openID else { return }
        actor.openID = nil
        actor.write("\r\n-------\(id)\(flag)\r\n")
    }

    private func respond(_ actor: Actor, _ status: String) {
        guard actor.openID == nil, !actor.unanswered.isEmpty else { return }
        let (id, isSend) = actor.unanswered.removeFirst()
        let way = isSend ? session.usePath : actor.toPath
        actor.write("MSRP \(id) \(status)\r\nTo-Path: \(way)\r\nFrom-Path: \(actor.path)\r\n-------\(id)$\r\n")
    }

    private func request(_ actor: Actor, _ method: String, _ script: inout ArraySlice<UInt8>) {
        guard actor.openID == nil else { return }
        let fields = take(&script)
        actor.write(
            Array("MSRP n\(number) \(method)\r\nTo-Path: \(actor.toPath)\r\nFrom-Path: \(actor.path)\r\n".utf8) + fields
                + Array("\r\n-------n\(number)$\r\n".utf8))
    }

    private func checkBounds() {
        for side in [session.client, session.peer] {
            guard let side else { continue }
            precondition(side.hop.count <= HopState.mostOutstanding)
            precondition(side.requests.count <= PassedRequests.most)
            precondition(side.body.readableBytes <= Side.longestBody)
        }
    }

    /// Both may go; then nothing of theirs may be left, and no message half written.
    func end() {
        session.end(.shutdown, lost: nil)
        for actor in [client, peer] {
            actor.channel.isWritable = true
            actor.channel.pipeline.fireChannelWritabilityChanged()
        }
        transport.scheduler.flush()
        loop.run()
        client.readAll()
        peer.readAll()
        transport.stopTimer()
        precondition(relay.sessions.isEmpty && transport.sessions.count == 0)
        for actor in [client, peer] {
            _ = try? actor.channel.finish(acceptAlreadyClosed: true)
        }
    }
}

var arguments = CommandLine.argc
var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
_ = LLVMFuzzerRunDriver(&arguments, &values) { fuzzRelay($0, $1) }
