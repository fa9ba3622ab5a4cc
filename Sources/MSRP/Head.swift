package import NIOCore

/// The methods of RFC 4975, 4976 and 7701, and the extension seen in file transfers.
package enum Method: Sendable, Hashable {
    case send, report, auth, nickname, fileOffset
    /// A method nobody here knows; its name is in the head's start line.
    case other
}

package enum SuccessReport: Sendable, Hashable { case yes, no }

/// Which responses and reports a sender wants (RFC 4975 sections 5.3 and 7.1.1).
package enum FailureReport: Sendable, Hashable { case yes, no, partial }

/// The start line and header fields of a request or response. The octets are kept once, as they came;
/// fields are ranges of them, in order, known or not.
package struct Head: Sendable, Hashable {
    package enum Kind: Sendable, Hashable {
        case request(Method)
        case response(Status)
    }

    package struct Field: Sendable, Hashable {
        /// Octets of the name within `bytes`' readable bytes.
        package let name: Range<Int>
        /// Octets of the value, without the blanks around it.
        package let value: Range<Int>
    }

    package let kind: Kind
    package let transactionID: TransactionID
    /// From `MSRP ` through the CRLF of the last header field.
    package let bytes: ByteBuffer
    package let fields: [Field]
    /// A blank line followed: there is a body, perhaps of no octets. Without it the end-line followed directly.
    package let hasBody: Bool
    package let defect: HeadDefect?
    /// The third token of the start line (method name or status digits).
    let token: Range<Int>

    init(
        kind: Kind, transactionID: TransactionID, bytes: ByteBuffer, fields: [Field], hasBody: Bool,
        defect: HeadDefect?, token: Range<Int>
    ) {
        self.kind = kind
        self.transactionID = transactionID
        self.bytes = bytes
        self.fields = fields
        self.hasBody = hasBody
        self.defect = defect
        self.token = token
    }

    // MARK: Start line

    package var method: Method? {
        if case .request(let method) = kind { method } else { nil }
    }
    package var status: Status? {
        if case .response(let status) = kind { status } else { nil }
    }
    /// The method's name, or the status code's digits, as written.
    package var methodName: String { string(token) }

    // MARK: Header fields by name

    /// The value of the first field of a name (ASCII case does not matter), decoded as UTF-8.
    package func value(_ name: StaticString) -> String? {
        range(name).map(string)
    }

    /// The same for a name known only at run time.
    package func value(named name: String) -> String? {
        var name = name
        return name.withUTF8 { wanted in
            withUnsafeBytes { bytes in
                fields.first { bytes.sub($0.name).equalsIgnoringCase(UnsafeRawBufferPointer(wanted)) }
            }
        }.map { string($0.value) }
    }

    /// The octets of the first field of a name, without copying; nil when there is none.
    package func withValue<R>(_ name: StaticString, _ body: (UnsafeRawBufferPointer) -> R) -> R? {
        guard let range = range(name) else { return nil }
        return withUnsafeBytes { body($0.sub(range)) }
    }

    package func withUnsafeBytes<R>(_ body: (UnsafeRawBufferPointer) -> R) -> R {
        bytes.withUnsafeReadableBytes(body)
    }

    /// A field's name and value, for passing unknown fields on.
    package func name(of field: Field) -> String { string(field.name) }
    package func value(of field: Field) -> String { string(field.value) }

    func range(_ name: StaticString) -> Range<Int>? {
        withUnsafeBytes { bytes in fields.first { bytes.sub($0.name).equalsIgnoringCase(name) }?.value }
    }

    private func string(_ range: Range<Int>) -> String {
        withUnsafeBytes { String(decoding: $0.sub(range), as: UTF8.self) }
    }

    // MARK: Fields of RFC 4975, parsed. Nil means absent or malformed; `has` tells which.

    package func has(_ name: StaticString) -> Bool { range(name) != nil }

    package var toPath: Path? { withValue("To-Path") { Path($0) } ?? nil }
    package var fromPath: Path? { withValue("From-Path") { Path($0) } ?? nil }
    package var usePath: Path? { withValue("Use-Path") { Path($0) } ?? nil }
    package var messageID: MessageID? { value("Message-ID").flatMap(MessageID.init) }
    package var byteRange: ByteRange? { withValue("Byte-Range") { ByteRange($0) } ?? nil }
    package var contentType: String? { value("Content-Type") }
    package var useNickname: String? { value("Use-Nickname") }
    /// Absent means no (RFC 4975 section 7.1.1).
    package var successReport: SuccessReport {
        withValue("Success-Report") { $0.equalsIgnoringCase("yes") } == true ? .yes : .no
    }
    /// Absent means yes (RFC 4975 section 7.1.1).
    package var failureReport: FailureReport {
        withValue("Failure-Report") {
            $0.equalsIgnoringCase("no") ? .no : $0.equalsIgnoringCase("partial") ? .partial : .yes
        } ?? .yes
    }
    /// The Status field of a REPORT: namespace and code.
    package var reportStatus: (namespace: Int, status: Status)? {
        withValue("Status") { octets -> (namespace: Int, status: Status)? in
            let parts = octets.split(separator: Octet.space, maxSplits: 2)
            guard parts.count >= 2, parts[0].count == 3, parts[1].count == 3,
                let namespace = UnsafeRawBufferPointer(rebasing: parts[0]).decimal,
                let code = UnsafeRawBufferPointer(rebasing: parts[1]).decimal
            else { return nil }
            return (Int(namespace), Status(Int(code)))
        } ?? nil
    }
    /// The end of the first To-Path URI's session-id: what finds a session.
    package var sessionKey: String? { (toPath?.first.sessionKey).map(String.init) }
    /// The phrase after a response's status code; empty when there is none.
    package var comment: String {
        withUnsafeBytes { bytes in
            guard let end = bytes.firstIndex(of: Octet.carriageReturn, from: token.upperBound),
                end > token.upperBound
            else { return "" }
            return String(decoding: bytes.sub(token.upperBound + 1..<end), as: UTF8.self)
        }
    }
}
