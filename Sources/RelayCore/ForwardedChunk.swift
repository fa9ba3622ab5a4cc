import MSRP

/// A SEND with content on its way through: how far it has come, and under which transaction it goes on
/// (RFC 4975 section 7.1.1).
///
/// Where it is interrupted its transaction ends with `+`, and the rest goes on under another identifier, with the same
/// header fields and a Byte-Range that starts further on.
struct ForwardedChunk {
    /// The outgoing transaction; of no meaning while closed.
    private(set) var id: UInt64 = 0
    private(set) var isOpen = false
    /// Octets of the body passed on in this transaction.
    private(set) var size: UInt64 = 0
    /// Octets passed on in the transactions before it.
    private var passed: UInt64 = 0
    private var isFirst = true

    /// A new SEND came.
    mutating func begin() { self = ForwardedChunk() }

    /// Goes on under this identifier.
    /// - Returns: the Byte-Range to write; nil: the one that came with the SEND.
    mutating func open(_ id: UInt64, range: ByteRange) -> ByteRange? {
        passed &+= size
        size = 0
        self.id = id
        isOpen = true
        if isFirst {
            isFirst = false
            return nil
        }
        return ByteRange(start: start(of: range), end: range.end, total: range.total)
    }

    mutating func pass(_ count: Int) { size &+= UInt64(truncatingIfNeeded: count) }

    mutating func close() { isOpen = false }

    /// Where the present transaction lies in the message.
    func start(of range: ByteRange) -> UInt64 {
        let (start, overflow) = range.start.addingReportingOverflow(passed)
        return overflow ? .max : start
    }
}
