internal import Client
internal import Focus
internal import MediaMixer
internal import Payloads

/// Rooms for programs: names are those of the configuration file.
enum RoomJSON {
    static func list(_ rooms: [RoomSummary]) -> String {
        array(
            rooms.map { room in
                JSONText.object([
                    ("room", JSONText.string("\(room.address)")), ("uri", JSONText.string(room.address.uri)),
                    ("kind", JSONText.string(room.kind.rawValue)), ("title", JSONText.string(room.title)),
                    ("participants", "\(room.participants)"), ("locked", "\(room.isLocked)"),
                ])
            })
    }

    static func details(_ room: RoomDetails) -> String {
        let (settings, condition) = (room.configuration, room.condition)
        var members: [(name: String, value: String)] = [
            ("room", JSONText.string("\(settings.address)")), ("uri", JSONText.string(settings.address.uri)),
            ("kind", JSONText.string(room.kind.rawValue)),
            ("title", JSONText.string(condition.title ?? settings.title)), ("subject", text(condition.subject)),
            ("free_text", text(condition.freeText)), ("keywords", JSONText.array(condition.keywords)),
            ("locked", "\(condition.isLocked)"), ("maker", text(room.maker)), ("settings", self.settings(settings)),
        ]
        let roles = RoomCondition.Role.allCases.reversed().map { role in
            (name: role.rawValue, value: JSONText.array(RoomText.people(of: role, settings, condition)))
        }
        members.append(("roles", JSONText.object(roles)))
        members.append(("muted", JSONText.array(condition.muted.sorted())))
        members.append(
            (
                "bans",
                array(
                    condition.bans.map { ban in
                        JSONText.object([
                            ("account", JSONText.string(ban.account)),
                            ("until", text(ban.until.map(RoomTimes.text))), ("reason", text(ban.reason)),
                        ])
                    })
            ))
        members.append(
            (
                "participants",
                array(
                    room.participants.map { person in
                        JSONText.object([
                            ("uri", JSONText.string(person.uri)), ("name", text(person.displayName)),
                            ("nickname", text(person.nickname)), ("role", JSONText.string(person.role.rawValue)),
                            ("muted", "\(person.isMuted)"), ("contact", text(person.contact)),
                        ])
                    })
            ))
        return JSONText.object(members)
    }

    private static func settings(_ room: RoomConfiguration) -> String {
        let welcome: String? =
            switch room.welcome {
            case .nobody: "none"
            case .clientsUnawareOfChatRooms(let text): text
            case .everybody(let text): text
            }
        return JSONText.object([
            ("maximum_participants", room.maximumMembers.map { "\($0)" } ?? "null"), ("welcome", text(welcome)),
            ("plain_text", "\(room.allowsPlainText)"), ("private_messages", "\(room.allowsPrivateMessages)"),
            ("nicknames", "\(room.allowsNicknames)"), ("anonymous", "\(room.allowsAnonymous)"),
            ("join", JSONText.string(room.join.rawValue)), ("speak", JSONText.string(room.speak.rawValue)),
            ("invite", JSONText.string(room.invite.rawValue)), ("remove", JSONText.string(room.remove.rawValue)),
            ("describe", JSONText.string(room.describe.rawValue)),
            ("subscribe", JSONText.string(room.subscribe.rawValue)), ("listed", JSONText.array(room.listed)),
            ("dial_out", JSONText.string(room.dialOut.rawValue)),
            ("dial_out_fallback", JSONText.string(room.dialOutFallback?.rawValue ?? "none")),
            ("max_message_size", room.maximumMessageSize.map { "\($0)" } ?? "null"),
            ("history", JSONText.string(room.history.text)), ("history_private", "\(room.keepsPrivateMessages)"),
            ("system_messages", JSONText.string(room.systemLines.rawValue)),
            ("congested", JSONText.string(room.congestion.text)), ("files", JSONText.string(room.files.rawValue)),
            ("reserved_nicknames", JSONText.array(room.reservedNicknames)),
            ("ends", JSONText.string(room.ends.rawValue)),
        ])
    }

    static func policy(_ room: RoomAddress, _ rules: PresenceRules?, document: String?) -> String {
        var members: [(name: String, value: String)] = [("room", JSONText.string("\(room)"))]
        let list = rules?.rules.map { rule in
            let parts = RoomPolicyRule(rule)
            return JSONText.object([
                ("id", JSONText.string(rule.id)), ("then", text(rule.handling?.rawValue)),
                ("who", JSONText.array(parts.who)), ("except", JSONText.array(parts.except)),
                ("when", JSONText.array(parts.when)),
            ])
        }
        members.append(("rules", list.map(array) ?? "null"))
        if let document { members.append(("document", JSONText.string(document))) }
        return JSONText.object(members)
    }

    /// Of a change that was made.
    static func change(_ order: RoomOrder, _ answer: RoomAnswer) -> String {
        var members: [(name: String, value: String)] = []
        if let room = order.room { members.append(("room", JSONText.string("\(room)"))) }
        if let ended = answer.ended { members.append(("ended", "\(ended)")) }
        if let purged = answer.purged { members.append(("purged", "\(purged)")) }
        return JSONText.object(members)
    }

    private static func text(_ text: String?) -> String { text.map(JSONText.string) ?? "null" }

    private static func array(_ objects: [String]) -> String { "[" + objects.joined(separator: ", ") + "]" }
}
