import Payloads
import SIP

/// The people that an INVITE with a resource list asks for (RFC 5366), or a REFER with one (RFC 5368).
struct InviteeList: Sendable, Equatable {
    /// Each once, in the list's order, with bcc entries.
    var people: [Invitee]

    /// Reads the list of an INVITE: the part with `Content-Disposition: recipient-list`, or nil when it has none.
    ///
    /// Says nothing about `Require: recipient-list-invite`; a re-INVITE with a list is the caller's to refuse (420).
    /// - Throws: 400 for a malformed body or hostile XML, 413 for a list beyond the limits, 415 for another format.
    static func inInvite(_ request: Request, limits: DialConfiguration.Limits) throws(Rejection) -> InviteeList? {
        let parts = try bodyParts(of: request)
        let named = parts.filter(\.isRecipientList)
        // A part that a list refers to has no disposition either.
        let lists = named.isEmpty ? parts.filter(\.isListWithoutDisposition) : named
        guard let list = lists.first else { return nil }
        guard lists.count == 1 else { throw .malformed("several recipient lists") }
        return InviteeList(
            people: try recipients(of: list, among: parts, limits: limits).compactMap { recipient in
                // What is no SIP URI can't be called, and what asks for another method isn't an invitation.
                guard let target = try? ReferTarget(recipient), target.method == .invite else { return nil }
                return target.invitee
            })
    }

    /// The list of a REFER, by the Content-ID that its Refer-To names (RFC 5368 section 7).
    static func targets(
        of request: Request, contentID: String, limits: DialConfiguration.Limits
    ) throws(Rejection) -> [ReferTarget] {
        let parts = try bodyParts(of: request)
        guard let list = parts.first(where: { $0.contentID == contentID }) else {
            throw .malformed("no body has the Content-ID of the Refer-To")
        }
        var targets: [ReferTarget] = []
        for recipient in try recipients(of: list, among: parts, limits: limits) {
            do {
                targets.append(try ReferTarget(recipient))
            } catch .scheme {
                continue
            } catch {
                throw Rejection(error)
            }
        }
        return targets
    }

    private static func recipients(
        of list: Multipart.Part, among parts: [Multipart.Part], limits: DialConfiguration.Limits
    ) throws(Rejection) -> [ResourceList.Recipient] {
        guard list.contentType?.essence == ResourceList.contentType else {
            throw Rejection(
                status: 415, headers: [HeaderField("Accept", ResourceList.contentType)],
                why: "a list in another format")
        }
        do {
            let xml = XMLLimits(octets: limits.listOctets)
            return try ResourceList(parsing: list.body, limits: xml).flattened(maximum: limits.listEntries) { id in
                parts.first { $0.contentID == id }.map { Array($0.body) }
            }.recipients
        } catch .tooManyEntries {
            throw Rejection(status: 413, why: "limit listEntries")
        } catch {
            throw .malformed("unusable resource list: \(error)")
        }
    }

    /// The body's parts that are no multiparts; a body that is one itself brings its header fields along.
    private static func bodyParts(of request: Request) throws(Rejection) -> [Multipart.Part] {
        guard let body = request.body, !body.content.isEmpty else { return [] }
        guard let type = ContentType(parsing: body.contentType) else { throw .malformed("unusable Content-Type") }
        if let encoding = request.headers["Content-Encoding"], !encoding.isEmpty, encoding.lowercased() != "identity" {
            throw Rejection(
                status: 415, headers: [HeaderField("Accept-Encoding", "identity")], why: "encoded body")
        }
        guard type.type == "multipart" else {
            let fields = ["Content-Type", "Content-ID", "Content-Disposition"].compactMap { name in
                request.headers[name].map { MIMEField(name: name, value: $0) }
            }
            let hasType = fields.contains { $0.name == "Content-Type" }
            let typed = hasType ? fields : fields + [MIMEField(name: "Content-Type", value: body.contentType)]
            return [Multipart.Part(fields: typed, body: body.content[...])]
        }
        do {
            return try Multipart.leaves(of: body.content, type: type)
        } catch {
            throw .malformed("unusable multipart body")
        }
    }
}

extension Multipart.Part {
    /// Without angle brackets (RFC 2392 section 2).
    fileprivate var contentID: String? {
        field("Content-ID").map { value in
            let id = value.filter { $0 != " " && $0 != "\t" }
            return id.hasPrefix("<") && id.hasSuffix(">") ? String(id.dropFirst().dropLast()) : id
        }
    }

    /// RFC 5363 section 4
    fileprivate var isRecipientList: Bool {
        guard let disposition = field("Content-Disposition") else { return false }
        return disposition.prefix { $0 != ";" && $0 != " " && $0 != "\t" }.lowercased() == ResourceList.recipientList
    }

    /// Taken for a recipient list, as older clients mean it, where no part says that it is one.
    fileprivate var isListWithoutDisposition: Bool {
        field("Content-Disposition") == nil && contentType?.essence == ResourceList.contentType
    }
}

extension ReferTarget {
    fileprivate init(_ recipient: ResourceList.Recipient) throws(Defect) {
        guard let uri = SIPURI(recipient.uri) else { throw .malformed }
        try self.init(uri, displayName: recipient.displayName)
        invitee.copy = Invitee.Copy(rawValue: recipient.copy.rawValue)
        invitee.isAnonymized = recipient.isAnonymized
    }
}
