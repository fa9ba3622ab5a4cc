import Payloads
import SIP

/// What a SUBSCRIBE to a roster asks for (RFC 6665 section 4.2.1, RFC 4575 section 3).
struct SubscribeRequest: Sendable, Equatable {
    let event: EventName
    /// Seconds; 0 ends the subscription, or fetches the state once.
    let expiry: Int

    static let package = "conference"
    static let allowEvents = HeaderField("Allow-Events", Capabilities.eventPackages.joined(separator: ", "))

    init(_ request: Request, _ configuration: NotifyConfiguration) throws(Rejection) {
        guard let event = request.event, event.package == Self.package else {
            throw Rejection(status: 489, headers: [Self.allowEvents], why: "another event package")
        }
        self.event = event
        try Self.checkRequirements(request)
        if let body = request.body, !body.content.isEmpty, !Self.isOptional(request) {
            // No filters are defined for this package (RFC 4575 section 3.2).
            throw Rejection(status: 415, headers: [HeaderField("Accept", "")], why: "a body in SUBSCRIBE")
        }
        guard Self.accepts(request.accept) else {
            throw Rejection(
                status: 406, headers: [HeaderField("Accept", ConferenceInfo.contentType)],
                why: "\(ConferenceInfo.contentType) is not accepted")
        }
        if request.headers.contains("Expires"), request.expires == nil { throw .malformed("malformed Expires") }
        let wanted = request.expires ?? Int(configuration.defaultExpiry)
        // Never where the subscriber asks for an hour or more (RFC 6665 section 4.2.1.1).
        if wanted > 0, wanted < 3600, wanted < Int(configuration.minimumExpiry) {
            throw .tooBrief(configuration.minimumExpiry)
        }
        expiry = min(wanted, Int(configuration.maximumExpiry))
    }

    /// RFC 3261 section 8.2.2.3
    static func checkRequirements(_ request: Request) throws(Rejection) {
        let unknown = request.require.filter { tag in !Capabilities.optionTags.contains(tag.lowercased()) }
        guard unknown.isEmpty else {
            throw Rejection(
                status: 420, headers: [HeaderField("Unsupported", unknown.joined(separator: ", "))],
                why: "unsupported extension")
        }
    }

    /// `Content-Disposition: ...;handling=optional` (RFC 3261 section 20.11)
    private static func isOptional(_ request: Request) -> Bool {
        request.headers["Content-Disposition"]?.lowercased().split(separator: ";").contains {
            $0.split(separator: "=").map { $0.filter { $0 != " " && $0 != "\"" } } == ["handling", "optional"]
        } ?? false
    }

    /// Without the header the package's own format is meant (RFC 4575 section 3.4).
    private static func accepts(_ ranges: [String]) -> Bool {
        guard !ranges.isEmpty else { return true }
        let wanted: Set = [ConferenceInfo.contentType, "application/*", "*/*"]
        return ranges.contains { range in
            let parts = range.split(separator: ";").map { $0.filter { $0 != " " && $0 != "\t" }.lowercased() }
            guard let type = parts.first, wanted.contains(type) else { return false }
            return !parts.dropFirst().contains { ["q=0", "q=0.0", "q=0.00", "q=0.000"].contains($0) }
        }
    }
}

extension Rejection {
    /// 423: RFC 6665 section 4.2.1.1, RFC 3903 section 6
    static func tooBrief(_ minimum: UInt32) -> Rejection {
        Rejection(status: 423, headers: [HeaderField("Min-Expires", "\(minimum)")], why: "interval too brief")
    }
}
