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
        abstract: "Run the server, in the foreground unless told otherwise.",
        discussion: """
            When all listeners are open, one line on standard output says so, with the actual ports:

              confd ready: sip=udp:127.0.0.1:5060,tcp:127.0.0.1:5060 msrp=127.0.0.1:2855 pid=123

            Without sip= the relay runs alone; relay= is there where it has an address of its own. Log lines go to \
            standard error unless [Log] target says otherwise. SIGHUP: the configuration is read again. SIGTERM or SIGINT (Ctrl-C) ends it in an orderly way, with BYE to every \
            participant, within 5 s and with exit status 0; a second one ends it at once. A configuration with \
            problems, or a port in use, is exit status 1.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Run in the background: returns when the server is ready, or could not be started (exit status 1).")
    var daemon = false

    @Flag(help: "Run in the foreground, as it does anyway. For scripts made for msrprelay.")
    var noFork = false

    @Flag(
        help: "Run in the foreground under systemd: log lines go to the journal, and systemd is told when it is ready.")
    var systemd = false

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "A file for the process id; a second instance with the same file is refused.",
            discussion: "With --daemon: confd.pid in the state directory unless told otherwise.", valueName: "file"))
    var pidFile: String?

    @ArgumentParser.Option(
        help: ArgumentHelp("The folder of the process id file, which is then confd.pid.", valueName: "folder"))
    var runtimeDir: String?

    @Flag(help: .hidden)
    var detached = false

    func validate() throws {
        if daemon, noFork || systemd {
            throw ValidationError(
                "--daemon runs in the background, --no-fork and --systemd in the foreground; choose one")
        }
    }

    func run() async throws {
        if daemon, !detached {
            throw ExitCode(Daemon.start(arguments: CommandLine.arguments.dropFirst() + ["--detached"]))
        }
        // A peer or reader that went away is an error of that one write, not the end of the process.
        signal(SIGPIPE, SIG_IGN)
        // What is being read is read already; once the server is ready it means to read it again.
        signal(SIGHUP, SIG_IGN)
        let loaded = options.load()
        guard loaded.problems.isEmpty else {
            for problem in loaded.problems { StandardError.write("confd: \(problem)") }
            throw ExitCode(1)
        }
        let standardTarget: LogTarget = systemd ? .journal : detached ? .syslog : .stderr
        let log = ServerLog(loaded.settings, target: loaded.settings.log.target ?? standardTarget)
        LoggingSystem.bootstrap { log.handler(label: $0) }
        let logger = Logger(label: "confd")
        logger.info("starting", metadata: ["configuration": "\(loaded.path ?? "none, all defaults")"])
        let server: Server
        let pidFile: PIDFile?
        do {
            pidFile = try takePIDFile(loaded.settings)
            server = try await Server.start(loaded)
        } catch {
            StandardError.write("confd: \(error.located(by: loaded.source))")
            throw ExitCode(1)
        }
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let program = CommandLine.arguments.first ?? "confd"
        let load: @Sendable () -> SettingsFile.Loaded = { [options] in options.load() }
        let service = ServerService(
            server: server, log: log, standardTarget: standardTarget,
            hadTerminal: isTerminal || isatty(STDIN_FILENO) == 1, load: load
        ) {
            StandardOutput.write(await server.readyLine + "\n")
            if loaded.settings.conference.demo || isTerminal {
                StandardOutput.write(await DemoHints.text(server, program: program))
            }
            if detached { Daemon.detach(keepsErrors: loaded.settings.log.target == .stderr) }
        }
        var quiet = Logger(label: "lifecycle")
        quiet.logLevel = .warning
        let group = ServiceGroup(services: [service], gracefulShutdownSignals: [.sigterm, .sigint], logger: quiet)
        defer { pidFile?.remove() }
        try await group.run()
    }

    private func takePIDFile(_ settings: Settings) throws(StartError) -> PIDFile? {
        if let path = pidFile ?? runtimeDir.map({ "\($0)/confd.pid" }) { return try PIDFile.take(path) }
        guard daemon else { return nil }
        return try PIDFile.take(StateDirectory.prepare(settings.conference.stateDirectory) + "/confd.pid")
    }
}
