import SIP

/// One URI that a REFER names, by Refer-To or in a list, and what is to be done with it.
struct ReferTarget: Sendable, Equatable {
    enum Method: Sendable, Equatable {
        case invite
        case refer
        case bye
    }

    var invitee: Invitee
    var method: Method
    /// `?Refer-To=`: where a REFER of ours is to send them (RFC 4579 section 5.7).
    var destination: SIPURI?

    /// Octets of a display name that are taken.
    static let longestName = 256

    enum Defect: Error, Sendable, Equatable {
        /// 416
        case scheme
        /// 400
        case malformed
        /// 403: a method that a conference server has no use for (RFC 5368 section 10).
        case method(String)
    }

    /// - Parameters:
    ///   - uri: as written. `method` may be a parameter of the URI (RFC 4579 section 5.11) or a header of it (RFC 5368
    ///     section 9).
    ///   - method: the `method` parameter behind the brackets, which real clients write.
    init(_ uri: SIPURI, displayName: String? = nil, method outside: String? = nil) throws(Defect) {
        guard uri.isSIP else { throw .scheme }
        let headers = URIHeaders(uri.headers)
        self.method =
            switch (uri.parameter("method") ?? outside ?? headers["method"])?.uppercased() {
            case nil, "INVITE": .invite
            case "BYE": .bye
            case "REFER": .refer
            case let other?: throw .method(other)
            }
        // A longer name than others may have is nobody's.
        let name = displayName.flatMap { $0.utf8.count <= Self.longestName ? $0 : nil }
        invitee = Invitee(uri: Self.bare(uri), displayName: name)
        if let value = headers["refer-to"] {
            guard !headers.repeats("refer-to"), let target = NameAddr(value)?.uri, target.isSIP else {
                throw .malformed
            }
            destination = target
        }
        if let value = headers["replaces"] {
            guard !headers.repeats("replaces"), DialogName(value) != nil else { throw .malformed }
            invitee.replaces = value
        }
    }

    /// What remains to call: no header fields, no password, and nothing that leads the request elsewhere.
    static func bare(_ uri: SIPURI) -> SIPURI {
        SIPURI(
            scheme: uri.scheme, user: uri.user, host: uri.host, port: uri.port,
            parameters: uri.parameters.filter { !dropped.contains($0.name.lowercased()) })
    }

    private static let dropped: Set<String> = ["method", "maddr", "ttl", "lr", "room-domain"]
}
