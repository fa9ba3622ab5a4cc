/// Who hears what became of a call to somebody.
enum DialReport: Sendable {
    /// The log and the roster only.
    case none
    /// The subscription that a REFER made: its NOTIFYs carry each response (RFC 3515 section 2.4.5).
    case notify(ReferDesk.Key)
}
