import Payloads
import SIP

/// The body of an INVITE of ours: the session description, and who else is invited (RFC 5366 section 5).
enum InvitationBody {
    /// - Parameter history: a resource list without bcc entries.
    static func make(description: [UInt8], history: [UInt8]?, boundary: String) -> MessageBody {
        guard let history else { return .description(description) }
        var content: [UInt8] = []
        func line(_ text: String) { content += Array("\(text)\r\n".utf8) }
        line("--\(boundary)")
        line("Content-Type: application/sdp")
        line("")
        content += description
        // The line end before a delimiter is the delimiter's (RFC 2046 section 5.1.1).
        line("")
        line("--\(boundary)")
        line("Content-Type: \(ResourceList.contentType)")
        line("Content-Disposition: \(ResourceList.recipientHistory); handling=optional")
        line("")
        content += history
        line("")
        line("--\(boundary)--")
        return MessageBody(contentType: "multipart/mixed;boundary=\"\(boundary)\"", content: content)
    }

    /// What the invited may know of each other; nil when that is nothing (RFC 5364 section 4).
    static func history(of people: [Invitee]) -> [UInt8]? {
        let recipients = people.compactMap { person in
            person.copy.flatMap { ResourceList.Copy(rawValue: $0.rawValue) }.map { copy in
                ResourceList.Recipient(
                    uri: person.uri.description, displayName: person.displayName, copy: copy,
                    isAnonymized: person.isAnonymized)
            }
        }
        return ResourceList.history(of: recipients)?.xml()
    }
}
