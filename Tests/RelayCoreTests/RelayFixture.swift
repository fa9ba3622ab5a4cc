import DigestAuth
import Logging
import MSRP
import MSRPTransport
import NIOCore
import NIOPosix
import Support
import Synchronization

@testable import RelayCore

/// A relay with one listener on loopback, its clients on bare sockets.
struct RelayFixture {
    static let accounts = MemoryAccounts(["alice@example.com": "1234", "bob@example.com": "secret"])

    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    let transport: TransportHandle
    let relay: RelayHandle
    let address: Support.SocketAddress
    let log = LineLog()

    init(
        adjust: (inout TransportConfiguration) -> Void = { _ in }, change: (inout RelayConfiguration) -> Void = { _ in }
    ) async throws {
        var settings = TransportConfiguration()
        settings.limits.lingerTimeout = .milliseconds(20)
        adjust(&settings)
        var logger = Logger(label: "test") { [log] _ in LineLogHandler(log: log) }
        logger.logLevel = .info
        transport = await TransportHandle.start(on: group.next(), configuration: settings, logger: logger)
        let addresses = try await transport.listen(on: [ListenAddress(host: "127.0.0.1", port: 0)])
        address = Support.SocketAddress(host: "127.0.0.1", port: UInt16(addresses.first?.port ?? 0))
        var configuration = RelayConfiguration(hostname: "127.0.0.1", port: Int(address.port))
        configuration.allowsPlainAuth = true
        configuration.defaultDomain = "example.com"
        change(&configuration)
        relay = await RelayHandle.start(
            transport: transport, configuration: configuration, accounts: Self.accounts, logger: logger)
    }

    func end() async throws {
        await relay.shutdown()
        await transport.shutdown()
        try await group.shutdownGracefully()
    }

    /// A client with a session.
    func client(_ user: String = "alice", expires: String? = nil) throws -> RawRelayClient {
        let client = try RawRelayClient(to: address)
        let answer = try client.authenticate(
            as: user, password: user == "alice" ? "1234" : "secret", target: "msrp://example.com:\(address.port);tcp",
            expires: expires)
        guard answer.status == 200 else { throw SupportError("AUTH was answered with \(answer.word)") }
        return client
    }

    /// Somebody outside who was given the client's path, connected but silent.
    func caller(of client: RawRelayClient) throws -> RawRelayClient {
        let caller = try RawRelayClient(to: address)
        caller.peer = client.path
        client.peer = [caller.uri]
        return caller
    }

    /// A client and the peer that bound its session.
    func pair() throws -> (client: RawRelayClient, peer: RawRelayClient) {
        let client = try client()
        let peer = try caller(of: client)
        let id = try peer.post("SEND", fields: peer.emptyFields)
        _ = try client.next()
        guard try peer.response(to: id).status == 200 else { throw SupportError("the bind was refused") }
        return (client, peer)
    }

    func tick(after time: TimeAmount = .zero) async {
        await transport.perform { $0.ticked(at: .now() + time) }
    }

    func counters() async -> RelayCounters { await relay.snapshot().counters }

    /// Lets the loop come round until the condition holds; its limit only ends a test that fails.
    func until(_ what: String, _ condition: (RelaySnapshot) async throws -> Bool) async throws {
        let deadline = Deadline.after(seconds: 10)
        while try await !condition(await relay.snapshot()) {
            if deadline.passed { throw SupportError("it did not happen: \(what)") }
        }
    }
}

/// Log lines from info on, readable from the test's thread.
final class LineLog: Sendable {
    private let state = Mutex<[String]>([])

    func write(_ line: String) { state.withLock { $0.append(line) } }
    var lines: [String] { state.withLock { $0 } }
}

private struct LineLogHandler: LogHandler {
    let log: LineLog
    var metadata: Logger.Metadata = [:]
    var logLevel = Logger.Level.info

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let fields = (event.metadata ?? [:]).sorted { $0.key < $1.key }
        log.write("\(event.message)" + fields.map { " \($0.key)=\($0.value)" }.joined())
    }
}

extension MSRPFrame {
    /// The head with the transaction id replaced, which is random.
    var headText: String {
        String(decoding: rawHead, as: UTF8.self).replacing(transactionID, with: "ID", maxReplacements: 1)
    }
}
