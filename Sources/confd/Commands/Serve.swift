internal import ArgumentParser
internal import Logging
internal import ServiceLifecycle
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Run the server in the foreground.",
        discussion: """
            When all listeners are open, one line on standard output says so, with the actual ports:

              confd ready: sip=udp:127.0.0.1:5060,tcp:127.0.0.1:5060 msrp=127.0.0.1:2855 pid=123

            Log lines go to standard error. SIGTERM or SIGINT (Ctrl-C) ends it in an orderly way, with BYE to every \
            participant, within 5 s and with exit status 0; a second one ends it at once. A configuration with \
            problems, or a port in use, is exit status 1.
            """)

    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
        // A peer or reader that went away is an error of that one write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        let loaded = options.load()
        guard loaded.problems.isEmpty else {
            for problem in loaded.problems { StandardError.write("confd: \(problem)") }
            throw ExitCode(1)
        }
        let settings = loaded.settings
        let level = Logger.Level(settings.log.level)
        LoggingSystem.bootstrap { LineLogHandler(label: $0, level: level) }
        let logger = Logger(label: "confd")
        logger.info("starting", metadata: ["configuration": "\(loaded.path ?? "none, all defaults")"])
        let server: Server
        do {
            server = try await Server.start(settings)
        } catch {
            StandardError.write("confd: \(error)")
            throw ExitCode(1)
        }
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let program = CommandLine.arguments.first ?? "confd"
        let service = ServerService(server: server) {
            StandardOutput.write(server.readyLine + "\n")
            if settings.conference.demo || isTerminal {
                StandardOutput.write(DemoHints.text(server, program: program))
            }
        }
        var quiet = Logger(label: "lifecycle")
        quiet.logLevel = .warning
        let group = ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        try await group.run()
    }
}
