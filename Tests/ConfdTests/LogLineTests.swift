import Logging
import Testing

@testable import confd

@Suite("Log lines")
struct LogLineTests {
    @Test("a line has time, level, label, message and its values by name")
    func line() {
        #expect(
            LogLine(
                time: "T", level: .info, label: "focus", message: "joined",
                metadata: ["room": "a@b", "name": "Al B", "empty": ""]
            ).text
                == "T info focus: joined empty=\"\" name=\"Al B\" room=a@b")
    }

    @Test("no value can begin a line of its own or steer a terminal")
    func injection() {
        #expect(
            LogLine(
                time: "T", level: .error, label: "x", message: "a\nb",
                metadata: ["k": "v\r\nT info y: \u{1B}[0m \"q\""]
            ).text
                == "T error x: a\\nb k=\"v\\r\\nT info y: \\u{1b}[0m \\\"q\\\"\"")
    }
}
