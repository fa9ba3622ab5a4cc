import MediaMixer
import Payloads
import SIP

/// What a REFER asks of the focus: its Refer-To taken apart (RFC 3515 section 2.4.1, RFC 4579 sections 5.5 to 5.12,
/// RFC 5368).
struct ReferRequest: Sendable, Equatable {
    var targets: [ReferTarget]
    /// A resource list was referred to; otherwise there is one target.
    var isList: Bool
    /// Whether the referrer hears the outcome by NOTIFY; false for `Refer-Sub: false`, `Require: norefersub`, and lists
    /// (RFC 4488 section 4, RFC 5368 section 8).
    var wantsReport: Bool
    /// The Referred-By as written; whose it is has to be compared.
    var referredBy: NameAddr?

    /// - Throws: 400 for no or several Refer-To, and bodies that are broken; 403 for methods without use here; 413 for
    ///   too long a list; 415 for a list in another format; 416 for what is no SIP URI.
    init(_ request: Request, limits: DialConfiguration.Limits) throws(Rejection) {
        // Header and all its values: RFC 3515 section 2.4.1 wants exactly one.
        let values = request.referTo
        guard values.count == 1, let value = values[0] else { throw .malformed("not exactly one usable Refer-To") }
        isList = value.uri.scheme == "cid"
        let saysNo = request.referSub == false || request.headers.contains("Require", token: "norefersub")
        wantsReport = !saysNo && !isList
        referredBy = request.referredBy
        guard isList else {
            do {
                targets = [
                    try ReferTarget(value.uri, displayName: value.displayName, method: value.parameter("method"))
                ]
            } catch {
                throw Rejection(error)
            }
            return
        }
        guard let id = value.uri.opaque.flatMap({ URIHeaders.unescaped($0) }) else {
            throw .malformed("unusable cid in Refer-To")
        }
        targets = try InviteeList.targets(of: request, contentID: id, limits: limits)
    }
}

extension Rejection {
    init(_ defect: ReferTarget.Defect) {
        switch defect {
        case .scheme: self = .init(status: 416, why: "the Refer-To is no SIP URI")
        case .malformed: self = .malformed("unusable header in the Refer-To URI")
        case .method(let method): self.init(status: 403, why: "nobody is referred to by \(method.prefix(32))")
        }
    }
}
