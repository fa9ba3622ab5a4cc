internal import Logging
internal import Payloads

#if canImport(Glibc)
    internal import Glibc
#endif

/// Writes log lines to standard error: `2026-11-21T02:30:00.123Z info focus: joined room=lobby@example.com`.
struct LineLogHandler: LogHandler {
    let label: String
    var logLevel: Logger.Level
    var metadata: Logger.Metadata = [:]
    private let write: @Sendable (String) -> Void

    /// - Parameter write: takes a line without its end.
    init(label: String, level: Logger.Level, write: @escaping @Sendable (String) -> Void = StandardError.write) {
        self.label = label
        self.logLevel = level
        self.write = write
    }

    subscript(metadataKey key: String) -> Logger.Metadata.Value? {
        get { metadata[key] }
        set { metadata[key] = newValue }
    }

    func log(event: LogEvent) {
        let all = event.metadata.map { metadata.merging($0) { $1 } } ?? metadata
        write(Self.line(Clock.now().dateTime, event.level, label, "\(event.message)", all))
    }

    /// One line whatever the texts hold; values with blanks are quoted.
    static func line(
        _ time: String, _ level: Logger.Level, _ label: String, _ message: String, _ metadata: Logger.Metadata
    ) -> String {
        var line = "\(time) \(level) \(label): \(escaped(message))"
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let text = escaped("\(value)")
            let isPlain = !text.isEmpty && !text.contains { $0 == " " || $0 == "\"" || $0 == "=" }
            line += " \(key)=" + (isPlain ? text : "\"\(text.replacing("\"", with: "\\\""))\"")
        }
        return line
    }

    /// What a peer sent must not begin a line of its own or steer the operator's terminal.
    private static func escaped(_ text: String) -> String {
        let isClean = text.utf8.allSatisfy { $0 >= 0x20 && $0 != 0x7F }
        if isClean { return text }
        var result = ""
        for scalar in text.unicodeScalars {
            switch scalar {
            case "\n": result += "\\n"
            case "\r": result += "\\r"
            case "\t": result += "\\t"
            case _ where scalar.value < 0x20 || scalar.value == 0x7F:
                result += "\\u{\(String(scalar.value, radix: 16))}"
            default: result.unicodeScalars.append(scalar)
            }
        }
        return result
    }
}
