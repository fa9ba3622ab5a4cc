internal import MediaMixer

/// A rule of rooms: `[Conference]` has what holds for all rooms, `[Room ...]` what is different in one.
struct RoomRule<Value: Sendable & Equatable> {
    let general: Option<Value>
    let room: Option<Value?>

    /// - Parameter documentation: what it means in any section.
    init(
        _ key: String, default value: Value, _ text: String,
        example: String? = nil,
        read: @escaping @Sendable (Substring, ValueContext) throws(ValueError) -> Value, _ documentation: [String]
    ) {
        general = Option(
            "Conference", key, default: value, text, example: example, read: read, documentation: documentation)
        room = Option(
            "Room", key, default: nil, "(that of [Conference])", example: example ?? text,
            read: { (text, context) throws(ValueError) in try read(text, context) }, documentation: documentation)
    }

    /// What holds in a room.
    func value(in section: String, else general: Value, _ source: inout SettingsSource) -> Value {
        source.value(room, in: section) ?? general
    }
}

extension Options {
    /// What rooms allow, to whom.
    enum Rules {
        static let general: [any OptionDescription] =
            [
                create, join.general, speak.general, invite.general, remove.general, describe.general,
                subscribe.general, privateMessages.general, nicknames.general, anonymous.general, dialOut.general,
                dialOutFallback.general, ends, listed.general, owners.general, moderators.general, observers.general,
            ]
        static let room: [any OptionDescription] =
            [
                join.room, speak.room, invite.room, remove.room, describe.room, subscribe.room, privateMessages.room,
                nicknames.room, anonymous.room, dialOut.room, dialOutFallback.room, listed.room, owners.room,
                moderators.room, observers.room,
            ]

        static let create = Option<RoomConfiguration.Group>(
            "Conference", "create", default: .everyone, "everyone", read: Values.choice(RoomConfiguration.Group.self),
            "Who makes a room by calling it, or the factory: everyone, domain, listed, owners or nobody. Who makes one",
            "is its owner. The groups: domain: callers of the room's own domain; listed: those of 'listed' and all",
            "with a role; moderators: moderators and owners.")
        static let join = group(
            "join", .everyone, "Who may come in: everyone, domain, listed, moderators, owners or nobody.")
        static let speak = group("speak", .everyone, "Who of those inside may say something; others only read.")
        static let invite = group(
            "invite", .everyone, "Who of those inside may have others called (REFER, lists in INVITE).")
        static let remove = group(
            "remove", .moderators,
            "Who may remove, mute and ban others and lock the room. Everybody may remove oneself.")
        static let describe = group(
            "describe", .everyone, "Who of those inside may change the subject and the title (PUBLISH).")
        static let subscribe = RoomRule(
            "subscribe", default: RoomConfiguration.Subscribers.policy, "policy",
            read: Values.choice(RoomConfiguration.Subscribers.self),
            [
                "Who beside those inside may see who is there: participants (nobody else), policy (whom the room's policy",
                "document allows: 'confd room policy'), or all.",
            ])
        static let privateMessages = flag("private_messages", true, "Whether people may write to one another alone.")
        static let nicknames = flag("nicknames", true, "Whether people may choose a nickname.")
        static let anonymous = flag(
            "anonymous", true, "Whether callers who hide their name (Privacy: id) may come in.")
        static let dialOut = RoomRule(
            "dial_out", default: RoomConfiguration.DialOut.refer, "refer",
            read: Values.choice(RoomConfiguration.DialOut.self),
            [
                "How people are called into the room: refer (REFER with the room's address: their client then calls) or",
                "invite (INVITE from the conference).",
            ])
        static let dialOutFallback = RoomRule(
            "dial_out_fallback", default: DialOutFallback.invite, "invite",
            read: Values.choice(DialOutFallback.self),
            ["What follows for a client that doesn't do REFER (405, 501, 603 or no answer): invite or none."])
        static let ends = Option<RoomConfiguration.Ending?>(
            "Conference", "ends", default: nil, "(owner-leaves for rooms of the factory, last-leaves for others)",
            example: "last-leaves",
            read: { (text, context) throws(ValueError) in
                try Values.choice(RoomConfiguration.Ending.self)(text, context)
            },
            "When a room that was made by a call ends: last-leaves or owner-leaves (RFC 4579 section 5.12).")
        static let listed = people("listed", "The people whom 'listed' means: user@domain or *@domain, with commas.")
        static let owners = people("owners", "Who may do everything: user@domain, with commas.")
        static let moderators = people(
            "moderators", "Who may do everything but end the room and change its owners: user@domain, with commas.")
        static let observers = people("observers", "Who may read only: user@domain, with commas.")

        private static func group(
            _ key: String, _ value: RoomConfiguration.Group, _ documentation: String
        ) -> RoomRule<RoomConfiguration.Group> {
            RoomRule(
                key, default: value, value.rawValue, read: Values.choice(RoomConfiguration.Group.self),
                [documentation])
        }

        private static func flag(_ key: String, _ value: Bool, _ documentation: String) -> RoomRule<Bool> {
            RoomRule(key, default: value, value ? "Yes" : "No", read: Values.boolean, [documentation])
        }

        private static func people(_ key: String, _ documentation: String) -> RoomRule<[String]> {
            RoomRule(
                key, default: [], "(nobody)", example: "alice@example.com", read: Values.people, [documentation])
        }
    }
}

/// `dial_out_fallback`
enum DialOutFallback: String, CaseIterable, Sendable {
    case invite, none
}

extension Settings {
    /// What a room allows, to whom.
    struct Rules: Equatable, Sendable {
        var join: RoomConfiguration.Group
        var speak: RoomConfiguration.Group
        var invite: RoomConfiguration.Group
        var remove: RoomConfiguration.Group
        var describe: RoomConfiguration.Group
        var subscribe: RoomConfiguration.Subscribers
        var privateMessages: Bool
        var nicknames: Bool
        var anonymous: Bool
        var dialOut: RoomConfiguration.DialOut
        var dialOutFallback: DialOutFallback
        var listed: [String]
        var owners: [String]
        var moderators: [String]
        var observers: [String]
    }
}

extension Settings.Rules {
    /// Those of `[Conference]`.
    init(_ source: inout SettingsSource) {
        join = source.value(Options.Rules.join.general)
        speak = source.value(Options.Rules.speak.general)
        invite = source.value(Options.Rules.invite.general)
        remove = source.value(Options.Rules.remove.general)
        describe = source.value(Options.Rules.describe.general)
        subscribe = source.value(Options.Rules.subscribe.general)
        privateMessages = source.value(Options.Rules.privateMessages.general)
        nicknames = source.value(Options.Rules.nicknames.general)
        anonymous = source.value(Options.Rules.anonymous.general)
        dialOut = source.value(Options.Rules.dialOut.general)
        dialOutFallback = source.value(Options.Rules.dialOutFallback.general)
        listed = source.value(Options.Rules.listed.general)
        owners = source.value(Options.Rules.owners.general)
        moderators = source.value(Options.Rules.moderators.general)
        observers = source.value(Options.Rules.observers.general)
    }

    /// Those of a room, where `[Conference]` says what it doesn't.
    init(in section: String, else general: Settings.Rules, _ source: inout SettingsSource) {
        typealias Rules = Options.Rules
        join = Rules.join.value(in: section, else: general.join, &source)
        speak = Rules.speak.value(in: section, else: general.speak, &source)
        invite = Rules.invite.value(in: section, else: general.invite, &source)
        remove = Rules.remove.value(in: section, else: general.remove, &source)
        describe = Rules.describe.value(in: section, else: general.describe, &source)
        subscribe = Rules.subscribe.value(in: section, else: general.subscribe, &source)
        privateMessages = Rules.privateMessages.value(in: section, else: general.privateMessages, &source)
        nicknames = Rules.nicknames.value(in: section, else: general.nicknames, &source)
        anonymous = Rules.anonymous.value(in: section, else: general.anonymous, &source)
        dialOut = Rules.dialOut.value(in: section, else: general.dialOut, &source)
        dialOutFallback = Rules.dialOutFallback.value(in: section, else: general.dialOutFallback, &source)
        listed = Rules.listed.value(in: section, else: general.listed, &source)
        owners = Rules.owners.value(in: section, else: general.owners, &source)
        moderators = Rules.moderators.value(in: section, else: general.moderators, &source)
        observers = Rules.observers.value(in: section, else: general.observers, &source)
    }

    /// Writes them into a room's configuration.
    func apply(to room: inout RoomConfiguration) {
        room.join = join
        room.speak = speak
        room.invite = invite
        room.remove = remove
        room.describe = describe
        room.subscribe = subscribe
        room.allowsPrivateMessages = privateMessages
        room.allowsNicknames = nicknames
        room.allowsAnonymous = anonymous
        room.dialOut = dialOut
        room.dialOutFallback = dialOutFallback == .invite ? .invite : nil
        room.listed = listed
        room.owners = owners
        room.moderators = moderators
        room.observers = observers
    }
}
