package import Payloads
import SIP

/// The people to be invited along with the call (RFC 5366): addresses of the command line and of a file.
package enum InvitationList {
    /// As many as a call can carry.
    static let maximum = 1_000

    /// Nil for nobody.
    ///
    /// - Parameters:
    ///   - file: a resource list (RFC 4826), or text with an address a line; lines that begin with `#` are none.
    ///   - domain: of addresses that are only a name.
    package static func make(
        addresses: [String], file: [UInt8]?, domain: String
    ) throws(ClientError) -> ResourceList? {
        var list = ResourceList(lists: [])
        var addresses = addresses
        if let file {
            if file.first(where: { $0 != 0x20 && $0 != 0x09 && $0 != 0x0A && $0 != 0x0D }) == UInt8(ascii: "<") {
                do throws(XMLError) {
                    list = try ResourceList(parsing: file)
                } catch {
                    throw .usage("--list: that is no resource list (RFC 4826): \(error)")
                }
            } else {
                let lines = String(decoding: file, as: UTF8.self).split(whereSeparator: \.isNewline)
                addresses += lines.map { $0.trimmedBlanks }.filter { !$0.isEmpty && !$0.hasPrefix("#") }
            }
        }
        var entries: [ResourceList.Entry] = []
        for address in addresses {
            guard let uri = ChatAddress.uri(of: address, domain: domain) else {
                throw .usage("'\(address)' is not an address that can be invited; write sip:who@host")
            }
            entries.append(.init(uri: uri.description, copy: .to))
        }
        if !entries.isEmpty { list.lists.append(.init(items: entries.map { .entry($0) })) }
        do throws(XMLError) {
            let recipients = try list.flattened(maximum: maximum).recipients
            return recipients.isEmpty ? nil : list
        } catch {
            throw .usage("more than \(maximum) people can't be invited at once")
        }
    }

    /// The body of an INVITE with the offer and the list (RFC 5366 section 3), and the headers it takes.
    static func body(offer: [UInt8], list: ResourceList, boundary: String) -> (MessageBody, [HeaderField]) {
        var content: [UInt8] = []
        func line(_ text: String) { content += text.utf8 + [0x0D, 0x0A] }
        line("--\(boundary)")
        line("Content-Type: application/sdp")
        line("")
        content += offer
        line("")
        line("--\(boundary)")
        line("Content-Type: \(ResourceList.contentType)")
        line("Content-Disposition: \(ResourceList.recipientList)")
        line("")
        content += list.xml()
        line("")
        line("--\(boundary)--")
        return (
            MessageBody(contentType: "multipart/mixed;boundary=\"\(boundary)\"", content: content),
            [HeaderField("Require", "recipient-list-invite")]
        )
    }
}

/// Addresses as people type them.
enum ChatAddress {
    /// A SIP URI of `sip:who@host`, `who@host`, or `who` of a domain; other schemes as they are.
    static func uri(of who: String, domain: String) -> SIPURI? {
        guard !who.isEmpty, !who.contains(where: { $0 == "<" || $0 == ">" || $0 == " " }) else { return nil }
        let beforeAt = who.prefix { $0 != "@" }
        if beforeAt.contains(":") {
            guard let uri = SIPURI(who), !uri.isSIP || !uri.host.isEmpty else { return nil }
            return uri
        }
        guard beforeAt.count < who.count else { return SIPURI(user: who, host: domain) }
        return beforeAt.isEmpty ? nil : SIPURI("sip:\(who)")
    }
}

extension StringProtocol {
    /// Without the blanks around it.
    var trimmedBlanks: String {
        var text = self[...]
        while let first = text.first, first == " " || first == "\t" { text = text.dropFirst() }
        while let last = text.last, last == " " || last == "\t" { text = text.dropLast() }
        return String(text)
    }
}
