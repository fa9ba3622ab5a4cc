/// The name of a whole message, carried by all its chunks and reports (RFC 4975 section 7.1.1).
/// Compared octet for octet.
package struct MessageID: Sendable, Hashable, CustomStringConvertible {
    /// The longest Message-ID taken from a peer; the grammar ends at 32.
    package static let longest = 256

    package let string: String

    /// Nil when the text is empty, too long, or has blanks or control characters in it.
    package init?(_ string: String) {
        guard !string.isEmpty, string.utf8.count <= Self.longest, string.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7F })
        else { return nil }
        self.string = string
    }

    /// A Message-ID of ours, from 64 random bits.
    package init(_ value: UInt64) {
        string = TransactionID(value).description
    }

    package var description: String { string }
}
