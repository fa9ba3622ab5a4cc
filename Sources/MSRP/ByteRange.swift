package import NIOCore

/// Where a chunk lies in its message: `start-end/total`, counted from one (RFC 4975 section 7.1.1).
package struct ByteRange: Sendable, Hashable {
    /// The position of the chunk's first octet; one or more.
    package var start: UInt64
    /// The position of the last octet; nil is `*`.
    package var end: UInt64?
    /// The size of the whole message; nil is `*`.
    package var total: UInt64?

    package init(start: UInt64, end: UInt64?, total: UInt64?) {
        self.start = start
        self.end = end
        self.total = total
    }

    /// What a request without a Byte-Range means: `1-*/*` (RFC 4975 section 7.3.1).
    package static let whole = ByteRange(start: 1, end: nil, total: nil)
    /// The range of a request without content: `1-0/0` (RFC 4975 section 7.1.1).
    package static let nothing = ByteRange(start: 1, end: 0, total: 0)

    /// Nil when the text is not of the grammar, a number needs more than 64 bits, or start is zero.
    package init?(_ octets: UnsafeRawBufferPointer) {
        guard let dash = octets.firstIndex(of: Octet.hyphen, from: 0),
            let slash = octets.firstIndex(of: Octet.slash, from: dash),
            let start = octets.sub(0..<dash).decimal, start > 0,
            let end = Self.bound(octets.sub(dash + 1..<slash)),
            let total = Self.bound(octets.sub(slash + 1..<octets.count))
        else { return nil }
        self.init(start: start, end: end.value, total: total.value)
    }

    package init?(_ string: String) {
        var string = string
        guard let range = string.withUTF8({ ByteRange(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = range
    }

    package func write(into buffer: inout ByteBuffer) {
        buffer.write(decimal: start)
        buffer.write("-")
        if let end { buffer.write(decimal: end) } else { buffer.write("*") }
        buffer.write("/")
        if let total { buffer.write(decimal: total) } else { buffer.write("*") }
    }

    private static func bound(_ octets: UnsafeRawBufferPointer) -> (value: UInt64?, Void)? {
        if octets.equals("*") { return (nil, ()) }
        guard let value = octets.decimal else { return nil }
        return (value, ())
    }
}

/// The flag at the end of an end-line (RFC 4975 section 7.1).
package enum Continuation: UInt8, Sendable, Hashable {
    /// `$`: the chunk ends its message.
    case complete = 0x24
    /// `+`: more chunks follow.
    case more = 0x2B
    /// `#`: the sender gave the message up.
    case aborted = 0x23
}
