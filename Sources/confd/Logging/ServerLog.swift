internal import Logging
internal import Synchronization

/// Where the server's log lines go and how many of them; both may change while it runs.
final class ServerLog: Sendable {
    /// `[Log] level`, `sip_level`, and `[Relay] log_level`.
    struct Levels: Equatable, Sendable {
        var general: Logger.Level
        var sip: Logger.Level
        var relay: Logger.Level

        init(_ settings: Settings) {
            general = Logger.Level(settings.log.level)
            sip = Logger.Level(settings.log.sipLevel)
            relay = settings.relay?.logLevel.map { Logger.Level($0) } ?? general
        }

        func level(of label: String) -> Logger.Level {
            switch label {
            case "sip": sip
            case "relay": relay
            default: general
            }
        }
    }

    private let levels: Mutex<Levels>
    private let target: Mutex<LogTarget>
    private let system: SystemLog

    init(_ settings: Settings, target: LogTarget, system: SystemLog = SystemLog()) {
        levels = Mutex(Levels(settings))
        self.target = Mutex(target)
        self.system = system
    }

    func change(_ settings: Settings, target: LogTarget) {
        levels.withLock { $0 = Levels(settings) }
        self.target.withLock { $0 = target }
    }

    func handler(label: String) -> LineLogHandler {
        LineLogHandler(
            label: label, level: { self.levels.withLock { $0.level(of: label) } }, write: { self.write($0) })
    }

    /// A line that the system's log doesn't take goes to standard error: better there than nowhere.
    private func write(_ line: LogLine) {
        switch target.withLock({ $0 }) {
        case .stderr:
            StandardError.write(line.text)
        case .syslog:
            if !system.syslog(line) { StandardError.write(line.text) }
        case .journal:
            // journald reads the level from the prefix where standard error is the journal (sd-daemon(3)).
            if !system.journal(line) { StandardError.write("<\(line.priority)>\(line.withoutTime)") }
        }
    }
}
