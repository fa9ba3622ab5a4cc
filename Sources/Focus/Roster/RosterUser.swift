package import MediaMixer

/// A person in a room, as others may know it: the `<user>` of RFC 4575 section 5.6.
struct RosterUser: Sendable {
    /// The key: what `Caller.uri` says, for those who hide their name the anonymous one.
    let uri: String
    /// `user@domain` of the real identity, for roles; never shown.
    var account: String
    var displayName: String?
    var nickname: String?
    let isAnonymous: Bool
    /// In the order in which they came.
    var endpoints: [RosterEndpoint] = []
    /// Users are listed in the order in which they came.
    let serial: UInt64
    /// What the role was when the user was rendered last.
    var role: RoomCondition.Role?
    /// Some document has shown it, so its end has to be told.
    var wasShown = false
    /// Among the users inside.
    var isCounted = false
    /// The `<user>` element as it is now; nil: has to be rendered.
    var fragment: [UInt8]?

    init(uri: String, account: String, displayName: String?, nickname: String?, isAnonymous: Bool, serial: UInt64) {
        self.uri = uri
        self.account = account
        self.displayName = displayName
        self.nickname = nickname
        self.isAnonymous = isAnonymous
        self.serial = serial
    }

    /// With a device that has joined.
    var isInside: Bool { endpoints.contains(where: \.hasJoined) }
    /// With a device that has joined or is about to.
    var isExpectedOrInside: Bool { endpoints.contains { $0.hasJoined || $0.status == .pending } }
}

/// One device of a user, or one attempt to reach it: the `<endpoint>` of RFC 4575 section 5.7.
struct RosterEndpoint: Sendable, Equatable {
    let key: Roster.EndpointKey
    /// Unique within the user: the device's Contact, or something that says nothing (anonymous users).
    let entity: String
    var status: Status
    var joining: Roster.Joining
    /// When the status became connected, in seconds since 1970.
    var joined: Int64?
    /// Who had it called (Referred-By, or the referrer's URI).
    var referredBy: String?
    /// When it was referred, in seconds since 1970.
    var referred: Int64?
    var media = Roster.Media.awaited
    /// What the peer wants to do.
    var direction = PeerMedia.Direction.sendReceive
    var departure: Roster.Departure?

    /// RFC 4575 section 5.7.3, as far as the focus uses them.
    enum Status: String, Sendable, Equatable {
        case pending
        case dialingOut = "dialing-out"
        case alerting
        case connected
        case onHold = "on-hold"
        case disconnected
    }

    var hasJoined: Bool { status == .connected || status == .onHold }
}

extension Roster {
    /// What an endpoint is known by: a participant's dialog, or an attempt of ours to call somebody.
    package enum EndpointKey: Sendable, Hashable {
        case member(MemberID)
        /// A number that the caller draws; never used twice.
        case dialOut(UInt64)
    }

    /// RFC 4575 section 5.7.4
    package enum Joining: String, Sendable, Equatable {
        case dialedIn = "dialed-in"
        case dialedOut = "dialed-out"
    }

    package enum Media: Sendable, Equatable {
        /// Joined, and the MSRP session not yet bound.
        case awaited
        case active
        /// The connection is gone, the grace period runs.
        case lost
    }

    /// Somebody whose INVITE was accepted, or who accepted ours, and who has not joined yet.
    package struct Arrival: Sendable, Equatable {
        /// `Caller.uri`.
        package var uri: String
        /// `Caller.account`.
        package var account: String
        package var displayName: String?
        package var isAnonymous: Bool
        /// The Contact's URI; not shown of those who are anonymous.
        package var device: String?
        package var joining: Joining
        /// Who had it called.
        package var referredBy: String?

        package init(
            uri: String, account: String, displayName: String? = nil, isAnonymous: Bool = false, device: String? = nil,
            joining: Joining = .dialedIn, referredBy: String? = nil
        ) {
            self.uri = uri
            self.account = account
            self.displayName = displayName
            self.isAnonymous = isAnonymous
            self.device = device
            self.joining = joining
            self.referredBy = referredBy
        }
    }

    /// Somebody we call, or have sent a REFER.
    package struct DialOut: Sendable, Equatable {
        /// Whom: the URI others see. `isAnonymous` (RFC 5364 anonymize) asks for one that says nothing.
        package var uri: String
        /// `user@domain`.
        package var account: String
        package var displayName: String?
        package var isAnonymous: Bool
        /// Who asked for it.
        package var referredBy: String?

        package init(
            uri: String, account: String, displayName: String? = nil, isAnonymous: Bool = false,
            referredBy: String? = nil
        ) {
            self.uri = uri
            self.account = account
            self.displayName = displayName
            self.isAnonymous = isAnonymous
            self.referredBy = referredBy
        }
    }

    package enum DialOutEnd: Sendable, Equatable {
        /// It is a participant now, or about to be one: `expect` tells more.
        case joined
        /// A final response, or a local one (408, 503).
        case failed(status: Int, phrase: String)
        /// Given up by us: nothing is to be told.
        case withdrawn
    }

    /// How an endpoint left: RFC 4575 sections 5.7.6 and 5.7.7.
    package struct Departure: Sendable, Equatable {
        package enum Method: String, Sendable, Equatable {
            case departed, booted, failed, busy
        }

        package var method: Method
        /// In the form of RFC 3326: `SIP;cause=...;text="..."`.
        package var reason: String?
        /// The URI of who removed it.
        package var by: String?
        /// Seconds since 1970.
        package var time: Int64

        package init(method: Method, reason: String? = nil, by: String? = nil, time: Int64) {
            self.method = method
            self.reason = reason
            self.by = by
            self.time = time
        }

        /// A response as the value of Reason (RFC 3326 section 2).
        static func reason(_ status: Int, _ phrase: String) -> String {
            let text = phrase.filter { $0 != "\"" && $0 != "\\" }
            return "SIP;cause=\(status);text=\"\(text)\""
        }
    }

    /// A participant, for the operator's eyes and for welcome texts.
    package struct Entry: Sendable, Equatable {
        package var uri: String
        package var displayName: String?
        package var nickname: String?
        package var media: Media

        package init(uri: String, displayName: String?, nickname: String?, media: Media) {
            self.uri = uri
            self.displayName = displayName
            self.nickname = nickname
            self.media = media
        }
    }
}
