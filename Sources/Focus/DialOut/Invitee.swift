package import SIP

/// Somebody who is to be called into a room, or removed from one: a Refer-To or an entry of a list.
package struct Invitee: Sendable, Equatable {
    /// In which role the others of the list see an invitee (RFC 5364 section 4).
    package enum Copy: String, Sendable, Equatable, CaseIterable {
        // In the order of precedence.
        case to, cc, bcc
    }

    /// Without the parts that say what to do: `method` and header fields.
    package var uri: SIPURI
    package var displayName: String?
    package var copy: Copy?
    /// The others don't see the URI (RFC 5364 section 4).
    package var isAnonymized = false
    /// The value of Replaces for our INVITE: their dialog whose place ours is to take (RFC 4579 section 5.10).
    package var replaces: String?

    package init(uri: SIPURI, displayName: String? = nil, copy: Copy? = nil, isAnonymized: Bool = false) {
        self.uri = uri
        self.displayName = displayName
        self.copy = copy
        self.isAnonymized = isAnonymized
    }
}

extension Invitee {
    /// `user@host`, the host in lower case: what policy and limits compare.
    var account: String { "\(uri.user ?? "")@\(host)" }
    /// What limits per destination count by: the host in its one written form.
    var host: String { RoomResolver.normalized(uri.host) }
    /// As others see them: scheme, user and host.
    var identity: SIPURI {
        SIPURI(scheme: uri.scheme, user: uri.user, host: uri.host, port: uri.user == nil ? uri.port : nil)
    }
}
