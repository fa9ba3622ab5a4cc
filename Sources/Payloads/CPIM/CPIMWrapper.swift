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
    ) -> [UInt8] {
        var output: [UInt8] = []
        output.reserveCapacity(256)
        append("From", from.value, to: &output)
        for address in to { append("To", address.value, to: &output) }
        append("DateTime", dateTime, to: &output)
        for header in adding { append(header.name, header.value, to: &output) }
        output += [ASCII.carriageReturn, ASCII.lineFeed]
        append("Content-Type", contentType, to: &output)
        output += [ASCII.carriageReturn, ASCII.lineFeed]
        return output
    }

    static func append(_ name: String, _ value: String, to output: inout [UInt8]) {
        output.append(contentsOf: name.utf8)
        append(value: value, to: &output)
    }

    /// Colon, value and line end; no value can end the line early.
    static func append(value: String, to output: inout [UInt8]) {
        output.append(UInt8(ascii: ":"))
        output.append(ASCII.space)
        for octet in value.utf8 { CPIMEscape.append(octet, to: &output) }
        output.append(ASCII.carriageReturn)
        output.append(ASCII.lineFeed)
    }
}
