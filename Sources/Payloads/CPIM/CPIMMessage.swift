/// A Message/CPIM body (RFC 3862): the message headers as they came, and where the content begins.
///
/// Only the head is held (a copy of it); the content stays with whoever has the octets and is passed on unchanged from
/// `contentOffset`. Liberal as real peers need: bare LF beside CRLF, no blank after a header's colon.
package struct CPIMMessage: Sendable, Hashable {
    /// One message header. Ranges are offsets into `head`.
    package struct Header: Sendable, Hashable {
        /// The whole name with its namespace prefix.
        package let name: Range<Int>
        /// What follows the colon and its parameters and one blank, still escaped.
        package let value: Range<Int>
        /// The line with its end.
        package let line: Range<Int>
        /// The core header it is (RFC 3862 section 4), found through its namespace.
        package let core: CoreHeader?
    }

    /// The headers of the namespace urn:ietf:params:cpim-headers: (RFC 3862 section 4).
    package enum CoreHeader: String, Sendable, Hashable {
        case from = "From"
        case to = "To"
        case cc
        case dateTime = "DateTime"
        case subject = "Subject"
        case namespace = "NS"
        case require = "Require"
    }

    /// The octets up to `bodyOffset`.
    package let head: [UInt8]
    package let headers: [Header]
    /// Where the content's MIME headers begin, after the first empty line.
    package let contentOffset: Int
    /// Where the content itself begins, after the second empty line.
    package let bodyOffset: Int
    /// The content's type; text/plain is not assumed: nil when it has no Content-Type.
    package let contentType: ContentType?

    /// - Parameter isWhole: whether these are all octets of the message; when not, a head that has not ended throws
    ///   `.incomplete`, and the caller tries again with more.
    package init(parsing octets: [UInt8], isWhole: Bool = true, limits: CPIMLimits = CPIMLimits()) throws(CPIMError) {
        throw CPIMError.incomplete
    }

    package init(
        parsing octets: UnsafeRawBufferPointer, isWhole: Bool = true, limits: CPIMLimits = CPIMLimits()
    ) throws(CPIMError) {
        throw CPIMError.incomplete
    }

    /// The sender; there is exactly one (else parsing throws).
    package var from: CPIMAddress { CPIMAddress(uri: "") }
    package var to: [CPIMAddress] { [] }
    package var cc: [CPIMAddress] { [] }
    package var dateTime: String? { nil }
    /// The first Subject, unescaped.
    package var subject: String? { nil }
    /// The names a receiver must understand (RFC 3862 section 4.7).
    package var require: [String] { [] }

    /// The unescaped value of the first header of exactly this name, prefix included.
    package func value(_ name: String) -> String? { nil }

    /// The message headers and their empty line with some core headers replaced (all of that name by the ones given,
    /// where the first stood; none given removes them), others added at the end; the rest stays octet for octet.
    /// The content from `contentOffset` on goes behind it.
    package func headers(replacing: [CoreHeader: [String]], adding: [(name: String, value: String)] = []) -> [UInt8] {
        []
    }
}

/// Why octets are not a Message/CPIM.
package enum CPIMError: Error, Sendable, Equatable {
    /// The head has not ended yet.
    case incomplete
    /// The head is longer than `CPIMLimits.head`.
    case tooLong
    case tooManyHeaders
    /// A line without a name and a colon, or with control characters.
    case malformedHeader
    /// No From, or no usable URI in it, or several.
    case noSender
    /// A To or cc without a usable URI.
    case malformedAddress
}

/// What the head of a peer's Message/CPIM may cost.
package struct CPIMLimits: Sendable {
    /// Octets of message headers and content headers together.
    package var head: Int
    package var headers: Int

    package init(head: Int = 16_384, headers: Int = 128) {
        self.head = head
        self.headers = headers
    }
}

/// `Name <uri>` in From, To and cc (RFC 3862 section 4.1).
package struct CPIMAddress: Sendable, Hashable {
    package var displayName: String?
    package var uri: String

    package init(displayName: String? = nil, uri: String) {
        self.displayName = displayName
        self.uri = uri
    }
}

/// Makes the octets before a content that has no Message/CPIM of its own: what a text/plain participant sends, and
/// what the room itself says.
package enum CPIMWrapper {
    /// Headers and content headers with both empty lines; the content goes behind it.
    /// - Parameters:
    ///   - dateTime: RFC 3339, see `InternetDateTime`.
    ///   - contentType: for example "text/plain; charset=utf-8".
    package static func head(
        from: CPIMAddress, to: [CPIMAddress], dateTime: String, contentType: String,
        adding: [(name: String, value: String)] = []
    ) -> [UInt8] { [] }
}
