internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#endif

/// The server as a service: says that it's ready, waits for the signal, ends.
struct ServerService: Service {
    /// What an orderly end takes at most; after it the process ends all the same.
    static let longestShutdown: Duration = .milliseconds(4700)

    let server: Server
    let announce: @Sendable () -> Void

    /// Called when the signals are trapped already, so a tool that saw the ready line may send one at once.
    func run() async throws {
        announce()
        let hangUps = Task { await Self.noticeHangUps() }
        let housekeeping = Task { await FreedMemory.giveBack() }
        try? await gracefulShutdown()
        hangUps.cancel()
        housekeeping.cancel()
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

    /// SIGHUP asks daemons to read their configuration again. Until that is there, it must at least not end them; on
    /// a terminal, whose end it tells, it does.
    private static func noticeHangUps() async {
        for await _ in await UnixSignalsSequence(trapping: .sighup) {
            if isatty(STDIN_FILENO) == 1 || isatty(STDOUT_FILENO) == 1 {
                kill(getpid(), SIGTERM)
            } else {
                Logger(label: "confd").notice("SIGHUP: reading the configuration again is not supported yet; restart")
            }
        }
    }

    private static func endAtSecondSignal() async {
        for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { _exit(130) }
    }
}
