extension MessageBody {
    /// The session description in a body of ours, which a refresh of the session repeats: the body itself, or a part
    /// of it whose only header field is its type, as we write them.
    var sessionDescription: MessageBody? {
        if mediaType == "application/sdp" { return self }
        guard mediaType.hasPrefix("multipart/"), let semicolon = contentType.firstIndex(of: ";"),
            let boundary = Parameters.value(of: "boundary", in: Parameters.parse(contentType[semicolon...])),
            let head = content.firstRange(of: Array("--\(boundary)\r\nContent-Type: application/sdp\r\n\r\n".utf8)),
            let end = content[head.upperBound...].firstRange(of: Array("\r\n--\(boundary)".utf8))
        else { return nil }
        return MessageBody(contentType: "application/sdp", content: Array(content[head.upperBound..<end.lowerBound]))
    }
}
