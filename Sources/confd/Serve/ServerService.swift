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
    let log: ServerLog
    /// Where lines go when the configuration doesn't say.
    let standardTarget: LogTarget
    let hadTerminal: Bool
    /// Reads the configuration again.
    let load: @Sendable () -> SettingsFile.Loaded
    let announce: @Sendable () async -> Void

    /// Called when the signals are trapped already, so a tool that saw the ready line may send one at once.
    func run() async throws {
        let signals = await UnixSignalsSequence(trapping: .sighup)
        await announce()
        ServiceManager.ready()
        let hangUps = Task { await follow(signals) }
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
        ServiceManager.stopping()
        await server.shutdown()
        impatience.cancel()
        watchdog.cancel()
    }

    /// SIGHUP asks to read the configuration again, or tells that the terminal is gone: then it is the end.
    private func follow(_ hangUps: UnixSignalsSequence) async {
        for await _ in hangUps {
            if hadTerminal, isatty(STDIN_FILENO) == 0, isatty(STDOUT_FILENO) == 0 {
                kill(getpid(), SIGTERM)
            } else {
                ServiceManager.reloading()
                await reload()
                ServiceManager.ready()
            }
        }
    }

    /// A configuration with problems changes nothing.
    private func reload() async {
        let logger = Logger(label: "confd")
        let loaded = load()
        var problems = loaded.problems.map(\.description)
        if problems.isEmpty {
            do throws(StartError) {
                let outcome = try await server.take(loaded)
                log.change(loaded.settings, target: loaded.settings.log.target ?? standardTarget)
                let changed = outcome.changed.isEmpty ? "nothing" : outcome.changed.joined(separator: ", ")
                logger.info("configuration read again", metadata: ["changed": "\(changed)"])
                if !outcome.waiting.isEmpty {
                    let options = outcome.waiting.joined(separator: ", ")
                    logger.notice("changed, but not before a restart", metadata: ["options": "\(options)"])
                }
                return
            } catch {
                problems = [error.located(by: loaded.source)]
            }
        }
        for problem in problems { logger.error("\(problem)") }
        logger.error("the new configuration is not taken; the one before stays in force")
    }

    private static func endAtSecondSignal() async {
        for await _ in await UnixSignalsSequence(trapping: .sigterm, .sigint) { _exit(130) }
    }
}
