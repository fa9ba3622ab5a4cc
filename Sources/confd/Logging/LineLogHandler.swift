internal import Logging
internal import Payloads

/// Makes log lines: of a client on standard error, of the server where `ServerLog` sends them.
struct LineLogHandler: LogHandler {
    let label: String
    var metadata: Logger.Metadata = [:]
    private var ownLevel: Logger.Level?
    private let configuredLevel: @Sendable () -> Logger.Level
    private let write: @Sendable (LogLine) -> Void

    /// With a level that may change while loggers of this label are in use.
    init(
        label: String, level: @escaping @Sendable () -> Logger.Level, write: @escaping @Sendable (LogLine) -> Void
    ) {
        self.label = label
        configuredLevel = level
        self.write = write
    }

    /// To standard error.
    init(label: String, level: Logger.Level) {
        self.init(label: label, level: { level }, write: { StandardError.write($0.text) })
    }

    var logLevel: Logger.Level {
        get { ownLevel ?? configuredLevel() }
        set { ownLevel = newValue }
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
        write(
            LogLine(
                time: Clock.now().dateTime, level: event.level, label: label, message: "\(event.message)",
                metadata: all))
    }
}
