/// Why a client command could not do what it was asked, worded for its user.
package enum ClientError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The command line is wrong; nothing was sent.
    case usage(String)
    /// Nobody answered, or there was nobody to send to.
    case noAnswer(String)
    /// The server said no.
    case refused(status: Int, phrase: String, detail: String?)
    /// What the server answered can't be used.
    case unusableAnswer(String)
    /// A relay or a receiver said no, for this reason.
    case denied(String)
    /// The call or its connection ended without our doing.
    case lost(String)

    package var description: String {
        switch self {
        case .usage(let text), .noAnswer(let text), .unusableAnswer(let text), .denied(let text), .lost(let text): text
        case .refused(let status, let phrase, let detail):
            "the server refused: \(status) \(phrase)" + (detail.map { " (\($0))" } ?? "")
        }
    }
}
