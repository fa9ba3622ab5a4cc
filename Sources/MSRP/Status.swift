/// A response's status code (RFC 4975 section 10; 401 and 423 RFC 4976; 404, 424, 425 and 428 RFC 7701).
package struct Status: Sendable, Hashable, CustomStringConvertible {
    package let code: Int

    package init(_ code: Int) { self.code = code }

    package static let ok = Status(200)
    package static let badRequest = Status(400)
    package static let unauthorized = Status(401)
    package static let forbidden = Status(403)
    package static let notFound = Status(404)
    package static let timeout = Status(408)
    package static let stopSending = Status(413)
    package static let unsupportedMediaType = Status(415)
    package static let outOfBounds = Status(423)
    package static let malformedNickname = Status(424)
    package static let nicknameUnavailable = Status(425)
    package static let privateMessagesUnsupported = Status(428)
    package static let noSuchSession = Status(481)
    package static let unknownMethod = Status(501)
    package static let sessionInUse = Status(506)

    package var isSuccess: Bool { code >= 200 && code < 300 }

    /// The comment phrase sent with the code; empty for a code nobody named.
    package var phrase: StaticString {
        switch code {
        case 200: "OK"
        case 400: "Bad Request"
        case 401: "Unauthorized"
        case 403: "Forbidden"
        case 404: "Not Found"
        case 408: "Request Timeout"
        case 413: "Stop Sending"
        case 415: "Unsupported Media Type"
        case 423: "Parameter Out Of Bounds"
        case 424: "Malformed Nickname"
        case 425: "Nickname Reserved Or Already In Use"
        case 428: "Private Messages Not Supported"
        case 481: "No Such Session"
        case 501: "Unknown Method"
        case 506: "Session Already In Use"
        default: ""
        }
    }

    package var description: String { "\(code) \(phrase)" }
}
