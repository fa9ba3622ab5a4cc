/// Bytes that cannot be framed. There is no way to find the next message after one of these, so each ends
/// its connection; what is wrong inside a head that could be framed is a `HeadDefect` and ends that request.
package struct WireError: Error, Hashable, CustomStringConvertible {
    package enum Reason: String, Sendable {
        case notMSRP = "the bytes do not start with MSRP"
        case badTransactionID = "the start line has no usable transaction identifier"
        case startLineTooLong = "the start line is too long"
        case headTooLong = "the head is too long"
        case tooManyHeaders = "the head has too many header fields"
    }

    /// How far the damage goes.
    package enum Reach: Sendable { case request, connection }

    package let reason: Reason
    package var reach: Reach { .connection }

    package init(_ reason: Reason) { self.reason = reason }

    package var description: String { reason.rawValue }
}

/// What a peer may make the part parser hold.
package struct WireLimits: Sendable, Hashable {
    /// Octets of a head, from `MSRP ` to its blank line or end-line.
    package var headBytes: Int
    /// Header fields in a head.
    package var headers: Int
    /// Octets of a start line.
    package var startLineBytes: Int

    package init(headBytes: Int = 16_384, headers: Int = 64, startLineBytes: Int = 1024) {
        self.headBytes = headBytes
        self.headers = headers
        self.startLineBytes = startLineBytes
    }
}

/// The first thing wrong inside a head that could be framed. Ends this request with 400.
package enum HeadDefect: Sendable, Hashable {
    /// Neither a method nor a three-digit status code after the transaction identifier.
    case startLine
    /// A line without a header name and colon.
    case headerLine
    /// A line that starts with a blank: MSRP has no folding (RFC 4975 section 9).
    case foldedLine
    /// NUL, a bare CR or LF, or another control character.
    case controlCharacter
}
