import Foundation
import NIOCore
import NIOGnuTLS
import NIOPosix
import Testing

/// Peers that nobody here wrote, over real sockets.
@Suite("Foreign peers", .enabled(if: FileManager.default.isExecutableFile(atPath: "/usr/bin/openssl")))
struct ForeignPeerTests {
    @Test("the whole chain is sent, and another TLS verifies it", arguments: ["-tls1_2", "-tls1_3"])
    func chain(version: String) async throws {
        let authority = try TestAuthority()
        let server = try await EchoServer(identities: [authority.identity])
        let output = try await Shell.run(
            "openssl s_client -connect 127.0.0.1:\(server.port) \(version) -showcerts -verify_return_error "
                + "-servername chat.example.com -verify_hostname chat.example.com "
                + "-CAfile \(authority.path)/root.pem </dev/null")
        #expect(output.contains("Verify return code: 0 (ok)"))
        #expect(output.components(separatedBy: "-----BEGIN CERTIFICATE-----").count == 1 + 2)
        try await server.stop()
    }

    @Test("a foreign client's text is echoed", arguments: ["-tls1_2", "-tls1_3"])
    func echo(version: String) async throws {
        let server = try await EchoServer(identities: [Identities.server])
        let output = try await Shell.run(
            "printf 'hello there!' | openssl s_client -connect 127.0.0.1:\(server.port) \(version) -quiet -ign_eof")
        #expect(output.contains("hello there!"))
        try await server.stop()
    }

    @Test("a resumed session still shows the client's certificate", arguments: ["-tls1_2", "-tls1_3"])
    func resumption(version: String) async throws {
        let folder = try TestFolder()
        try folder.write(Identities.client.certificatePEM + Identities.client.keyPEM, "client.pem")
        let server = try await EchoServer(identities: [Identities.server])
        for file in ["-sess_out", "-sess_in"] {
            _ = try await Shell.run(
                "printf 'hello there!' | openssl s_client -connect 127.0.0.1:\(server.port) \(version) -ign_eof "
                    + "-cert \(folder.path)/client.pem \(file) \(folder.path)/session.pem")
        }
        let completed = server.completed
        #expect(completed.map(\.isResumed) == [false, true])
        let fingerprint = Identities.client.fingerprint()
        #expect(completed.map { $0.peerFingerprint(.sha256) } == [fingerprint, fingerprint])
        try await server.stop()
    }

    @Test("keys may be updated in mid-session (RFC 8446 section 4.6.3)")
    func keyUpdate() async throws {
        let server = try await EchoServer(identities: [Identities.server])
        // A line with K alone makes s_client send KeyUpdate and ask for one.
        let output = try await Shell.converse(
            ["s_client", "-connect", "127.0.0.1:\(server.port)", "-tls1_3"],
            [("K\n", until: "KEYUPDATE"), ("hello there!\n", until: "hello there!")])
        #expect(output.contains("KEYUPDATE"))
        #expect(output.contains("hello there!"))
        #expect(server.errors == [])
        try await server.stop()
    }

    @Test("a client that renegotiates is refused (RFC 5746 leaves it to the server)")
    func renegotiation() async throws {
        let server = try await EchoServer(identities: [Identities.server])
        let output = try await Shell.converse(
            ["s_client", "-connect", "127.0.0.1:\(server.port)", "-tls1_2"], [("R\n", until: "no such text")])
        #expect(output.contains("RENEGOTIATING"))
        guard case .protocolViolation = server.errors.first else {
            Issue.record("expected a violation, got \(server.errors)")
            return
        }
        #expect(server.errors.count == 1)
        try await server.stop()
    }

    @Test("our client talks to a foreign server, which sees its certificate")
    func foreignServer() async throws {
        let folder = try TestFolder()
        try folder.write(Identities.server.certificatePEM + Identities.server.keyPEM, "server.pem")
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
        process.arguments = [
            "s_server", "-accept", "127.0.0.1:0", "-cert", "\(folder.path)/server.pem", "-naccept", "1", "-rev",
            "-verify", "1",
        ]
        let output = Pipe()
        process.standardOutput = output
        process.standardError = output
        process.standardInput = FileHandle.nullDevice
        try process.run()
        defer { process.terminate() }

        var text = ""
        var port: Int?
        while port == nil {
            let data = output.fileHandleForReading.availableData
            guard !data.isEmpty else { break }
            text += String(decoding: data, as: UTF8.self)
            let line = text.split(separator: "\n").first { $0.hasPrefix("ACCEPT ") }
            port = line?.split(separator: ":").last.flatMap { Int($0) }
        }
        let context = try TLSContext.client(
            identity: Identities.client, trust: .pem(Identities.server.certificatePEM))
        let answer = NIOLoopPromise<String>()
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let collector = LineCollector(answer: answer)
                    let handler = GnuTLSHandler(
                        context: context, serverName: "chat.example.com",
                        verification: .authority(name: "chat.example.com"))
                    try channel.pipeline.syncOperations.addHandlers([handler, collector])
                }
            }
            .connect(host: "127.0.0.1", port: try #require(port)).get()
        try await channel.writeAndFlush(ByteBuffer(string: "stressed\n"))
        #expect(try await answer.value == "desserts")
        try await channel.close()
    }
}

/// Keeps the first line that arrives.
private final class LineCollector: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    private let answer: NIOLoopPromise<String>
    private var text = ""

    init(answer: NIOLoopPromise<String>) {
        self.answer = answer
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        text += String(buffer: unwrapInboundIn(data))
        if let end = text.firstIndex(of: "\n") { answer.resolve(.success(String(text[..<end]))) }
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        answer.resolve(.failure(error))
    }

    func channelInactive(context: ChannelHandlerContext) {
        answer.resolve(.failure(ChannelError.eof))
    }
}
