import Foundation
import NIOCore
import NIOGnuTLS
import NIOPosix
import Synchronization

/// A value that another thread provides once.
final class NIOLoopPromise<Value: Sendable>: Sendable {
    private let promise = MultiThreadedEventLoopGroup.singleton.next().makePromise(of: Value.self)
    private let isResolved = Atomic(false)

    func resolve(_ result: Result<Value, any Error>) {
        if isResolved.exchange(true, ordering: .relaxed) == false { promise.completeWith(result) }
    }

    var value: Value {
        get async throws { try await promise.futureResult.get() }
    }

    deinit {
        resolve(.failure(CancellationError()))
    }
}

/// A TLS server on a loopback port that echoes twelve octets and closes.
final class EchoServer: Sendable {
    private let channel: any Channel
    private let seen: Seen

    final class Seen: Sendable {
        let completed = Mutex<[TLSHandshakeCompleted]>([])
        let errors = Mutex<[TLSError]>([])
    }

    init(identities: [TLSIdentity]) async throws {
        let context = try TLSContext.server(identities: identities)
        let seen = Seen()
        self.seen = seen
        channel = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandlers([GnuTLSHandler(context: context), Echo(seen: seen)])
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
    }

    var port: Int { channel.localAddress?.port ?? 0 }
    var completed: [TLSHandshakeCompleted] { seen.completed.withLock { $0 } }

    var errors: [TLSError] { seen.errors.withLock { $0 } }

    func stop() async throws {
        try await channel.close()
    }

    private final class Echo: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let seen: Seen
        private var octets = 0

        init(seen: Seen) {
            self.seen = seen
        }

        func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
            if let event = event as? TLSHandshakeCompleted { seen.completed.withLock { $0.append(event) } }
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            octets += unwrapInboundIn(data).readableBytes
            context.writeAndFlush(data, promise: nil)
            if octets >= 12 { context.close(promise: nil) }
        }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            if let error = error as? TLSError { seen.errors.withLock { $0.append(error) } }
        }
    }
}

/// Runs other people's programs.
enum Shell {
    struct Failed: Error {
        let output: String
    }

    /// Standard output and error of a command, whatever its exit status.
    static func run(_ command: String) async throws -> String {
        try await NIOThreadPool.singleton.runIfActive {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/bin/sh")
            process.arguments = ["-c", command]
            let pipe = Pipe()
            process.standardOutput = pipe
            process.standardError = pipe
            try process.run()
            let output = pipe.fileHandleForReading.readDataToEndOfFile()
            process.waitUntilExit()
            return String(decoding: output, as: UTF8.self)
        }
    }

    /// Types lines to openssl, each when what the one before was to bring has been seen (or the program
    /// has ended), and gives all that it printed.
    static func converse(
        _ arguments: [String], _ lines: [(line: String, until: String)]
    ) async throws -> String {
        try await NIOThreadPool.singleton.runIfActive {
            let process = Process()
            process.executableURL = URL(fileURLWithPath: "/usr/bin/openssl")
            process.arguments = arguments
            let input = Pipe()
            let output = Pipe()
            process.standardInput = input
            process.standardOutput = output
            process.standardError = output
            try process.run()
            var text = ""
            for (line, expected) in lines {
                try input.fileHandleForWriting.write(contentsOf: Data(line.utf8))
                while !text.contains(expected) {
                    let data = output.fileHandleForReading.availableData
                    if data.isEmpty { break }
                    text += String(decoding: data, as: UTF8.self)
                }
            }
            try? input.fileHandleForWriting.close()
            text += String(decoding: output.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
            process.waitUntilExit()
            return text
        }
    }
}

/// A folder that goes with its test.
final class TestFolder: Sendable {
    let path: String

    init() throws {
        path = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString).path
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    func write(_ content: [UInt8], _ name: String) throws {
        try Data(content).write(to: URL(fileURLWithPath: "\(path)/\(name)"))
    }
}

/// A root, an intermediate and a leaf for chat.example.com, made with openssl.
final class TestAuthority: Sendable {
    private let folder: TestFolder
    let identity: TLSIdentity
    var path: String { folder.path }

    init() throws {
        let folder = try TestFolder()
        self.folder = folder
        let script = """
            set -e; cd \(folder.path)
            key="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            openssl req -x509 $key -keyout root.key -out root.pem -days 30 -subj /CN=Root
            openssl req -x509 $key -keyout middle.key -out middle.pem -days 30 -subj /CN=Middle \\
                -CA root.pem -CAkey root.key
            openssl req -x509 $key -keyout leaf.key -out leaf.pem -days 30 -subj /CN=chat.example.com \\
                -addext subjectAltName=DNS:chat.example.com -addext basicConstraints=critical,CA:FALSE \\
                -CA middle.pem -CAkey middle.key
            cat leaf.pem middle.pem >chain.pem
            """
        let process = Process()
        process.executableURL = URL(fileURLWithPath: "/bin/sh")
        process.arguments = ["-c", script]
        process.standardError = FileHandle.nullDevice
        try process.run()
        process.waitUntilExit()
        identity = try TLSIdentity.load(
            certificateFile: "\(folder.path)/chain.pem", keyFile: "\(folder.path)/leaf.key")
    }
}
