internal import Logging

/// One line of the log, before it is known where it goes.
struct LogLine: Sendable {
    /// As in `Clock.now().dateTime`.
    var time: String
    var level: Logger.Level
    var label: String
    var message: String
    var metadata: Logger.Metadata

    /// `2026-11-21T02:30:00.123Z info focus: joined room=lobby@example.com`
    var text: String { "\(time) \(level) \(label): \(said)" }

    /// Without what the system's log adds itself.
    var withoutTime: String { "\(label): \(said)" }

    /// One line whatever the texts hold; values with blanks are quoted.
    private var said: String {
        var line = Self.escaped(message)
        for (key, value) in metadata.sorted(by: { $0.key < $1.key }) {
            let text = Self.escaped("\(value)")
            let isPlain = !text.isEmpty && !text.contains { $0 == " " || $0 == "\"" || $0 == "=" }
            line += " \(key)=" + (isPlain ? text : "\"\(text.replacing("\"", with: "\\\""))\"")
        }
        return line
    }

    /// What a peer sent must not begin a line of its own or steer the operator's terminal.
    static func escaped(_ text: String) -> String {
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

    /// The level as syslog(3) and journald number it.
    var priority: Int {
        switch level {
        case .trace, .debug: 7
        case .info: 6
        case .notice: 5
        case .warning: 4
        case .error: 3
        case .critical: 2
        }
    }
}
