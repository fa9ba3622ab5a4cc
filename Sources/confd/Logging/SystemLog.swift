#if canImport(Glibc)
    internal import Glibc
#endif

/// The logs of the system, each reached by a datagram a line: syslogd at /dev/log, as syslog(3) does it, and journald
/// by its own protocol, which keeps a line's parts as fields.
///
/// Sending never waits: a log daemon that does not read must not stop messages from being relayed. A line that finds
/// its queue full is lost; one that finds nobody there is the caller's to write elsewhere.
final class SystemLog: Sendable {
    /// Larger ones are cut; the kernel takes about 200 KiB.
    static let longestText = 32 * 1024
    /// LOG_DAEMON of syslog(3).
    static let facility = 3

    private let syslogPath: String
    private let journalPath: String
    private let identifier: String
    private let datagrams = UnixDatagram()

    init(
        syslogPath: String = "/dev/log", journalPath: String = "/run/systemd/journal/socket",
        identifier: String = "confd"
    ) {
        self.syslogPath = syslogPath
        self.journalPath = journalPath
        self.identifier = identifier
    }

    /// False when nobody listens there.
    func syslog(_ line: LogLine) -> Bool {
        let text = Array(line.withoutTime.utf8.prefix(Self.longestText))
        let head = "<\(Self.facility << 3 | line.priority)>\(Self.localTime()) \(identifier)[\(getpid())]: "
        return datagrams.send(Array(head.utf8) + text, to: syslogPath)
    }

    /// False when nobody listens there.
    func journal(_ line: LogLine) -> Bool {
        datagrams.send(Self.journalFields(line, identifier: identifier), to: journalPath)
    }

    /// `KEY=value` lines; a name is upper case letters, digits and underscores. Values hold no line ends.
    static func journalFields(_ line: LogLine, identifier: String) -> [UInt8] {
        var text = "PRIORITY=\(line.priority)\nSYSLOG_IDENTIFIER=\(identifier)\nMESSAGE=\(line.withoutTime)\n"
        text += "CONFD_PART=\(line.label)\n"
        for (key, value) in line.metadata.sorted(by: { $0.key < $1.key }) {
            let name = key.uppercased().map { $0.isASCII && ($0.isLetter || $0.isNumber) ? $0 : "_" }
            let field = "CONFD_\(String(name))=\(LogLine.escaped("\(value)"))\n"
            if text.utf8.count + field.utf8.count > longestText { break }
            text += field
        }
        return Array(text.utf8.prefix(longestText * 2))
    }

    /// `Nov 21 02:30:00`, as RFC 3164 section 4.1.2 has it.
    private static func localTime() -> String {
        var now = time(nil)
        var parts = tm()
        localtime_r(&now, &parts)
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        func two(_ number: Int32, _ fill: String) -> String { number < 10 ? "\(fill)\(number)" : "\(number)" }
        let month = months[Int(parts.tm_mon) % 12]
        let clock = "\(two(parts.tm_hour, "0")):\(two(parts.tm_min, "0")):\(two(parts.tm_sec, "0"))"
        return "\(month) \(two(parts.tm_mday, " ")) \(clock)"
    }
}
