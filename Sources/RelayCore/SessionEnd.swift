/// Why a relay session ended; what the log and the counters say.
enum SessionEnd: String, Sendable {
    case clientClosed = "client closed"
    case clientFailed = "client failed"
    case peerClosed = "peer closed"
    case peerFailed = "peer failed"
    /// Expires, as asked for in AUTH
    case expired = "expired"
    /// Nobody was connected to before `default_expires`
    case unused = "unused"
    case maximumTime = "maximum session time"
    /// Too many AUTHs that another relay refused
    case authFailures = "authentication failures"
    case shutdown = "shutdown"
}
