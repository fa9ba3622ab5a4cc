import FileSpool
import MediaMixer
import Payloads
import SIP

/// A final response that refuses a request: status and the headers that go with it.
struct Rejection: Equatable, Sendable {
    let status: Int
    var headers: [HeaderField] = []
    /// For the log: which rule or limit it was.
    let why: String

    static let notFound = Rejection(status: 404, why: "no such room")
    static let unsupportedScheme = Rejection(status: 416, why: "unsupported URI scheme")
    static let shuttingDown = Rejection(status: 503, why: "shutting down")
    static let gone = Rejection(status: 481, why: "no such dialog")
    static let pending = Rejection(status: 491, why: "an offer of ours has no answer yet")
    static let unknownMethod = Rejection(status: 501, why: "unknown method")
    static let methodNotAllowed = Rejection(status: 405, headers: [Capabilities.allow], why: "method not allowed")

    static func malformed(_ why: String) -> Rejection { Rejection(status: 400, why: why) }

    /// RFC 3261 section 14.2, RFC 3311 section 5.2: between 0 and 10 seconds.
    static func retryLater() -> Rejection {
        Rejection(status: 500, headers: [retryAfter()], why: "an earlier offer is being answered")
    }

    /// A limit of `FocusConfiguration.Limits`, named so that an operator finds it.
    static func limit(_ name: String) -> Rejection {
        Rejection(status: 480, headers: [retryAfter()], why: "limit \(name)")
    }

    private static func retryAfter() -> HeaderField { HeaderField("Retry-After", "\(Int.random(in: 0...10))") }

    /// A body that can't be used; nil when it can (RFC 3261 section 8.2.3).
    init?(_ body: SessionBody) {
        switch body {
        case .none, .description: return nil
        case .unsupported: self.init(status: 415, headers: [Capabilities.accept], why: "unsupported body")
        case .encoded:
            self.init(
                status: 415, headers: [Capabilities.accept, HeaderField("Accept-Encoding", "identity")],
                why: "encoded body")
        case .malformed: self.init(status: 400, why: "malformed body")
        }
    }

    init(_ refusal: Refusal, agent: String) {
        self.init(
            status: refusal.status, headers: [HeaderField("Warning", refusal.warning(agent: agent))],
            why: refusal.text)
    }

    /// A room's no, with its reason for people to read (RFC 3261 section 20.43). A ban's is what a moderator wrote.
    static func policy(_ status: Int, _ why: String, agent: String) -> Rejection {
        var text = ""
        for scalar in why.unicodeScalars.prefix(mostWarningScalars)
        where scalar.value >= 0x20 && !(0x7F...0x9F).contains(scalar.value) {
            if scalar == "\"" || scalar == "\\" { text += "\\" }
            text.unicodeScalars.append(scalar)
        }
        let warning = Refusal(status: status, warningCode: 399, text: text).warning(agent: agent)
        return Rejection(status: status, headers: [HeaderField("Warning", warning)], why: why)
    }

    private static let mostWarningScalars = 200

    init(_ refusal: JoinRefusal, agent: String) {
        switch refusal {
        case .noSuchRoom: self = .notFound
        case .roomIsFull: self.init(status: 486, headers: [Self.retryAfter()], why: "the room is full")
        case .tooManyRooms: self = .limit("maximumRooms")
        case .tooManyMembers: self = .limit("maximumMembers")
        case .malformedPath:
            self.init(Refusal(status: 488, warningCode: 306, text: "unusable MSRP path"), agent: agent)
        case .plainTextNotAllowed:
            self.init(Refusal(status: 488, warningCode: 305, text: "the room wants message/cpim"), agent: agent)
        case .noSuchMember, .noSuchTransfer: self = .gone
        case .tooManyTransfers: self = .limit("transfers")
        case .noSpool: self = .noFiles(agent: agent)
        case .fileRefused(.noSuchFile): self = .noSuchFile(agent: agent)
        case .fileRefused(.fileTooLarge): self = .fileTooLarge(nil, agent: agent)
        case .fileRefused(.shuttingDown): self = .shuttingDown
        case .fileRefused(let refusal): self = .limit("files: \(refusal)")
        case .shuttingDown: self = .shuttingDown
        }
    }

    init(status: Int, headers: [HeaderField] = [], why: String) {
        self.status = status
        self.headers = headers
        self.why = why
    }
}

/// Why we hang up, as the value of Reason (RFC 3326).
enum HangUpReason {
    static let badAnswer = value(488, "Not Acceptable Here")
    static let noAnswer = value(488, "No answer to the offer")
    static let noAcknowledgement = value(408, "No ACK")
    static let shutdown = value(503, "The conference server is shutting down")
    static let replaced = value(200, "Another dialog has taken the place of this one")
    static let mediaRemoved = value(200, "The session has no media any more")

    static func value(_ cause: EndCause) -> String {
        switch cause {
        case .graceExpired: value(408, "The MSRP connection was lost")
        case .fingerprintMismatch: value(488, "The certificate is not the one announced")
        case .connectFailed: value(480, "The MSRP connection could not be made")
        case .bindRefused: value(480, "The MSRP session was refused")
        case .neverConnected: value(408, "The MSRP connection was never made")
        }
    }

    private static func value(_ cause: Int, _ text: String) -> String { "SIP;cause=\(cause);text=\"\(text)\"" }
}
