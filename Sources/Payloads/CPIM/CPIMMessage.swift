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

    /// The headers of the namespace urn:ietf:params:cpim-headers: (RFC 3862 section 4). Their case matters.
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
    /// Where the content itself begins, after the second empty line. Content without MIME headers begins at
    /// `contentOffset`.
    package let bodyOffset: Int
    /// The content's type; nil when it names none.
    package let contentType: ContentType?
    /// The one sender.
    package let from: CPIMAddress
    /// The receivers; those without a usable URI are left out.
    package let to: [CPIMAddress]
    /// How many To headers there are, usable or not.
    package let receivers: Int

    /// - Parameter isWhole: whether these are all octets of the message; when not, a head that has not ended throws
    ///   `.incomplete`, and the caller tries again with more.
    /// - Throws: `CPIMError`.
    package init(parsing octets: [UInt8], isWhole: Bool = true, limits: CPIMLimits = CPIMLimits()) throws(CPIMError) {
        let outcome = octets.withUnsafeBytes { buffer in
            Result { () throws(CPIMError) in try CPIMMessage(parsing: buffer, isWhole: isWhole, limits: limits) }
        }
        self = try outcome.get()
    }

    /// - Throws: `CPIMError`.
    package init(
        parsing octets: UnsafeRawBufferPointer, isWhole: Bool = true, limits: CPIMLimits = CPIMLimits()
    ) throws(CPIMError) {
        let parsed = try CPIMParser.parse(octets, isWhole: isWhole, limits: limits)
        head = parsed.head
        headers = parsed.headers
        contentOffset = parsed.contentOffset
        bodyOffset = parsed.head.count
        contentType = parsed.contentType

        // A second From, of whatever namespace, could be the one that a receiver believes.
        let head = parsed.head
        let senders = parsed.headers.filter { $0.core == .from || head[$0.name].elementsEqual("From".utf8) }
        guard senders.count == 1, let sender = senders.first, sender.core == .from,
            let from = CPIMAddress(parsing: head[sender.value])
        else { throw .noSender }
        self.from = from
        let receivers = parsed.headers.filter { $0.core == .to }
        self.receivers = receivers.count
        to = receivers.compactMap { CPIMAddress(parsing: head[$0.value]) }
    }

    /// The courtesy-copy receivers; those without a usable URI are left out.
    package var cc: [CPIMAddress] {
        headers.filter { $0.core == .cc }.compactMap { CPIMAddress(parsing: head[$0.value]) }
    }

    package var dateTime: String? { value(.dateTime) }

    /// The first Subject, unescaped.
    package var subject: String? { value(.subject) }

    /// The names a receiver must understand (RFC 3862 section 4.7).
    package var require: [String] {
        headers.filter { $0.core == .require }.flatMap { header in
            head[header.value].split(separator: UInt8(ascii: ",")).map {
                String(decoding: ASCII.trimmed($0), as: UTF8.self)
            }
        }.filter { !$0.isEmpty }
    }

    /// The unescaped value of the first header that is this core header.
    package func value(_ core: CoreHeader) -> String? {
        headers.first { $0.core == core }.map { CPIMEscape.unescaped(head[$0.value]) }
    }

    /// The unescaped value of the first header of exactly this name, prefix included.
    package func value(_ name: String) -> String? {
        headers.first { head[$0.name].elementsEqual(name.utf8) }.map { CPIMEscape.unescaped(head[$0.value]) }
    }

    /// A Message/CPIM with this one's From and To as they stand, and nothing in it: says which message is meant.
    package var addresses: [UInt8] {
        var output: [UInt8] = []
        for header in headers where header.core == .from || header.core == .to || header.core == .namespace {
            output.append(contentsOf: head[header.line])
        }
        output += Array("\r\nContent-Type: text/plain\r\n\r\n".utf8)
        return output
    }

    /// The message headers and their empty line with some core headers replaced (all of that name by the ones given,
    /// where the first stood; none given removes them), others added at the end; the rest stays octet for octet.
    /// The content from `contentOffset` on goes behind it.
    ///
    /// Values are written as given, but for control characters, which are escaped: see `CPIMAddress.value` and
    /// `CPIMEscape.escaped`.
    package func headers(
        replacing: [CoreHeader: [String]] = [:], adding: [(name: String, value: String)] = []
    ) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(contentOffset + 256)
        var placed: Set<CoreHeader> = []
        for header in headers {
            guard let core = header.core, let values = replacing[core] else {
                output.append(contentsOf: head[header.line])
                continue
            }
            guard placed.insert(core).inserted else { continue }
            for value in values {
                output.append(contentsOf: head[header.name])
                CPIMWrapper.append(value: value, to: &output)
            }
        }
        // In the order of section 4, so that the same input gives the same octets.
        for core in [CoreHeader.from, .to, .cc, .dateTime, .subject, .require] where !placed.contains(core) {
            for value in replacing[core] ?? [] { CPIMWrapper.append(core.rawValue, value, to: &output) }
        }
        for header in adding { CPIMWrapper.append(header.name, header.value, to: &output) }
        let end = headers.last?.line.upperBound ?? 0
        output.append(contentsOf: head[end..<contentOffset])
        return output
    }
}

/// Why octets are not a Message/CPIM.
package enum CPIMError: Error, Sendable, Hashable {
    /// The head has not ended yet.
    case incomplete
    /// The message headers do not end, though these are all octets.
    case unterminated
    /// The message headers are longer than `CPIMLimits.head`.
    case tooLong
    case tooManyHeaders
    /// A line without a name and a colon, or with control characters.
    case malformedHeader
    /// No From, or no usable URI in it, or several.
    case noSender
}

/// What the head of a peer's Message/CPIM may cost.
package struct CPIMLimits: Sendable {
    /// Octets of the message headers, and with the content's headers.
    package var head: Int
    package var headers: Int

    package init(head: Int = 16_384, headers: Int = 128) {
        self.head = head
        self.headers = headers
    }
}
