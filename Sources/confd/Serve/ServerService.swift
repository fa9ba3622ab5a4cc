internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#endif

/// The server as a service: says that it's ready, waits for the signal, ends.
struct ServerService: Service {
    /// What an orderly end takes at most; after it the process ends all the same.
    static let longestShutdown: Duration = .seconds(5)

    let server: Server
    let announce: @Sendable () -> Void

    /// Called when the signals are trapped already, so a tool that saw the ready line may send one at once.
    func run() async throws {
        announce()
        try? await gracefulShutdown()
        let impatience = Task { await Self.endAtSecondSignal() }
        let watchdog = Task {
            try await Task.sleep(for: Self.longestShutdown)
            Logger(label: "confd").warning("the orderly end took too long")
            _exit(0)
        }
        await server.shutdown()
        impatience.cancel()
        watchdog.cancel()
    }

    private static func endAtSecondSignal() async {
        for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { _exit(130) }
    }
}
