import MediaMixer
import Testing

private let now: Int64 = 1_000_000
private let entering = RoomPolicy.Act.join(membersInside: 0, isPlainText: false)

/// One row: who (`=` in front: in the room already; `?` behind: hides the name), what, in which room, and a status
/// (200: allowed, 0: the document decides).
private struct Row: CustomTestStringConvertible, Sendable {
    let who: String
    let act: RoomPolicy.Act
    var room: @Sendable (inout RoomConfiguration, inout RoomCondition) -> Void = { _, _ in }
    let status: Int
    let line: Int

    init(
        _ who: String, _ act: RoomPolicy.Act, _ status: Int, line: Int = #line,
        _ room: @escaping @Sendable (inout RoomConfiguration, inout RoomCondition) -> Void = { _, _ in }
    ) {
        self.who = who
        self.act = act
        self.status = status
        self.line = line
        self.room = room
    }

    var testDescription: String { "line \(line): \(who) \(act)" }

    var decision: RoomPolicy.Decision {
        var name = who
        let isParticipant = name.hasPrefix("=")
        if isParticipant { name.removeFirst() }
        let isAnonymous = name.hasSuffix("?")
        if isAnonymous { name.removeLast() }
        let account = name.contains("@") ? name : "\(name)@example.com"
        var configuration = RoomConfiguration(address: RoomAddress(user: "lobby", domain: "example.com"))
        configuration.owners = ["olga@example.com"]
        configuration.moderators = ["mona@example.com"]
        configuration.observers = ["otto@example.com"]
        configuration.listed = ["lisa@example.com", "*@example.net"]
        var condition = RoomCondition()
        room(&configuration, &condition)
        return RoomPolicy.decide(
            .init(account: account, isAnonymous: isAnonymous, isParticipant: isParticipant), act,
            in: configuration, condition, mostMembers: 10, now: now)
    }
}

/// The room: olga owns it, mona moderates, otto observes, lisa is listed, everybody else is nobody special. Its domain
/// is example.com.
@Suite("What the room's policy decides")
struct RoomPolicyTests {

    private func check(_ row: Row) {
        switch row.decision {
        case .allow: #expect(row.status == 200, "\(row.testDescription)")
        case .askDocument: #expect(row.status == 0, "\(row.testDescription)")
        case .refuse(let status, let why):
            #expect(row.status == status, "\(row.testDescription): \(why)")
            #expect(!why.isEmpty)
        }
    }

    @Test(
        "who may join",
        arguments: [
            Row("anna", entering, 200),
            Row("anna@elsewhere.org", entering, 200),
            Row("anna@elsewhere.org", entering, 403) { room, _ in room.join = .domain },
            Row("anna@EXAMPLE.COM", entering, 200) { room, _ in room.join = .domain },
            Row("anna@sub.example.com", entering, 403) { room, _ in room.join = .domain },
            Row("anna", entering, 403) { room, _ in room.join = .listed },
            Row("lisa", entering, 200) { room, _ in room.join = .listed },
            Row("Lisa", entering, 403) { room, _ in room.join = .listed },
            Row("anyone@example.net", entering, 200) { room, _ in room.join = .listed },
            Row("mona", entering, 200) { room, _ in room.join = .listed },
            Row("lisa", entering, 403) { room, _ in room.join = .moderators },
            Row("mona", entering, 200) { room, _ in room.join = .moderators },
            Row("mona", entering, 403) { room, _ in room.join = .owners },
            Row("olga", entering, 200) { room, _ in room.join = .owners },
            Row("mona", entering, 403) { room, _ in room.join = .nobody },
            Row("olga", entering, 200) { room, _ in room.join = .nobody },
            Row("otto", entering, 200),
            Row("anna?", entering, 200),
            Row("anna?", entering, 403) { room, _ in room.allowsAnonymous = false },
            Row("anna", .join(membersInside: 0, isPlainText: true), 200),
            Row("anna", .join(membersInside: 0, isPlainText: true), 488) { room, _ in room.allowsPlainText = false },
            Row("anna", entering, 403) { _, condition in condition.isLocked = true },
            Row("=anna", entering, 200) { _, condition in condition.isLocked = true },
            Row("mona", entering, 200) { _, condition in condition.isLocked = true },
            Row("anna", entering, 200) { _, condition in
                condition.isLocked = true
                condition.roles["anna@example.com"] = .moderator
            },
            Row("anna", .join(membersInside: 9, isPlainText: false), 200),
            Row("anna", .join(membersInside: 10, isPlainText: false), 486),
            Row("olga", .join(membersInside: 10, isPlainText: false), 486),
            Row("anna", .join(membersInside: 2, isPlainText: false), 486) { room, _ in room.maximumMembers = 2 },
            Row("anna", .join(membersInside: 10, isPlainText: false), 486) { room, _ in room.maximumMembers = 20 },
        ])
    fileprivate func joining(row: Row) { check(row) }

    @Test(
        "bans keep out until they end, and owners never",
        arguments: [
            Row("anna", entering, 403) { $1.bans = [.init(account: "anna@example.com")] },
            Row("anna@EXAMPLE.com", entering, 403) { $1.bans = [.init(account: "anna@example.com")] },
            Row("anna", entering, 403) { $1.bans = [.init(account: "anna@example.com", until: now + 1)] },
            Row("anna", entering, 200) { $1.bans = [.init(account: "anna@example.com", until: now)] },
            Row("anna", entering, 403) { $1.bans = [.init(account: "*@example.com")] },
            Row("bob@example.org", entering, 200) { $1.bans = [.init(account: "*@example.com")] },
            Row("olga", entering, 200) { $1.bans = [.init(account: "*@example.com")] },
            Row("mona", entering, 403) { $1.bans = [.init(account: "mona@example.com")] },
            Row("anna?", entering, 403) { $1.bans = [.init(account: "anna@example.com")] },
            Row("anna", .subscribe, 403) { room, condition in
                room.subscribe = .all
                condition.bans = [.init(account: "anna@example.com")]
            },
        ])
    fileprivate func banning(row: Row) { check(row) }

    @Test("a ban's reason is told")
    func banReason() {
        let row = Row("anna", entering, 403) { $1.bans = [.init(account: "anna@example.com", reason: "spam")] }
        #expect(row.decision == .refuse(403, "banned: spam"))
    }

    @Test(
        "who may subscribe (RFC 4575 section 3.5)",
        arguments: [
            Row("=anna", .subscribe, 200),
            Row("anna", .subscribe, 0),
            Row("mona", .subscribe, 200),
            Row("olga", .subscribe, 200),
            Row("anna", .subscribe, 403) { room, _ in room.subscribe = .participants },
            Row("=anna", .subscribe, 200) { room, _ in room.subscribe = .participants },
            Row("anna", .subscribe, 200) { room, _ in room.subscribe = .all },
        ])
    fileprivate func subscribing(row: Row) { check(row) }

    @Test(
        "who may speak, to all and to one (RFC 7701 sections 6.1 and 6.2)",
        arguments: [
            Row("=anna", .speak, 200),
            Row("anna", .speak, 403),
            Row("=otto", .speak, 403),
            Row("=otto", .speakPrivately, 403),
            Row("=anna", .speak, 403) { $1.muted = ["anna@example.com"] },
            Row("=anna", .speakPrivately, 403) { $1.muted = ["anna@example.com"] },
            Row("=anna", .speak, 403) { $1.roles["anna@example.com"] = .observer },
            Row("=otto", .speak, 200) { $1.roles["otto@example.com"] = .participant },
            Row("=anna", .speak, 403) { room, _ in room.speak = .moderators },
            Row("=mona", .speak, 200) { room, _ in room.speak = .moderators },
            Row("=anna", .speakPrivately, 200),
            Row("=olga", .speakPrivately, 403) { room, _ in room.allowsPrivateMessages = false },
            Row("=anna", .setNickname, 200),
            Row("anna", .setNickname, 403),
            Row("=olga", .setNickname, 403) { room, _ in room.allowsNicknames = false },
        ])
    fileprivate func speaking(row: Row) { check(row) }

    @Test(
        "who may change the subject",
        arguments: [
            Row("=anna", .describe, 200),
            Row("anna", .describe, 403),
            Row("mona", .describe, 200),
            Row("=otto", .describe, 403),
            Row("=anna", .describe, 403) { $1.muted = ["anna@example.com"] },
            Row("=anna", .describe, 403) { room, _ in room.describe = .moderators },
            Row("=anna", .describe, 403) { room, _ in room.speak = .listed },
        ])
    fileprivate func describing(row: Row) { check(row) }

    @Test(
        "who may have others called (RFC 4579 section 5.5)",
        arguments: [
            Row("=anna", .invite, 200),
            Row("anna", .invite, 403),
            Row("=otto", .invite, 403),
            Row("mona", .invite, 200),
            Row("olga", .invite, 200),
            Row("=anna", .invite, 403) { room, _ in room.invite = .moderators },
            Row("mona", .invite, 403) { room, _ in room.invite = .owners },
            Row("=anna", .invite, 403) { $1.isLocked = true },
            Row("mona", .invite, 200) { $1.isLocked = true },
        ])
    fileprivate func inviting(row: Row) { check(row) }

    @Test(
        "who may remove, mute and ban whom (RFC 4579 section 5.11)",
        arguments: [
            Row("=anna", .remove(target: "bob@example.com"), 403),
            Row("=anna", .remove(target: "anna@example.com"), 200),
            Row("anna", .remove(target: "anna@example.com"), 403),
            Row("mona", .remove(target: "bob@example.com"), 200),
            Row("mona", .remove(target: "mona@example.com"), 200),
            Row("mona", .remove(target: "olga@example.com"), 403),
            Row("olga", .remove(target: "mona@example.com"), 200),
            Row("=anna", .remove(target: "bob@example.com"), 200) { room, _ in room.remove = .everyone },
            Row("anna", .remove(target: "bob@example.com"), 403) { room, _ in room.remove = .everyone },
            Row("=otto", .remove(target: "bob@example.com"), 403) { room, _ in room.remove = .everyone },
            Row("=anna", .remove(target: "mona@example.com"), 403) { room, _ in room.remove = .everyone },
            Row("mona", .remove(target: "bob@example.com"), 403) { room, _ in room.remove = .owners },
            Row("mona", .mute(target: "bob@example.com"), 200),
            Row("=anna", .mute(target: "bob@example.com"), 403),
            Row("mona", .ban(target: "olga@example.com"), 403),
            Row("mona", .ban(target: "bob@example.com"), 200),
            Row("=anna", .ban(target: "anna@example.com"), 403),
            Row("mona", .lock, 200),
            Row("=anna", .lock, 403),
        ])
    fileprivate func removing(row: Row) { check(row) }

    @Test(
        "who may give roles, end the room, and leave (RFC 4579 section 5.12)",
        arguments: [
            Row("olga", .setRole(target: "bob@example.com", .owner), 200),
            Row("olga", .setRole(target: "olga@example.com", .participant), 200),
            Row("mona", .setRole(target: "bob@example.com", .moderator), 200),
            Row("mona", .setRole(target: "bob@example.com", .owner), 403),
            Row("mona", .setRole(target: "olga@example.com", .observer), 403),
            Row("=anna", .setRole(target: "anna@example.com", .moderator), 403),
            Row("olga", .close, 200),
            Row("mona", .close, 403),
            Row("=anna", .close, 403),
            Row("=anna", .close, 200) { $1.roles["anna@example.com"] = .owner },
            Row("olga", .close, 403) { $1.roles["olga@example.com"] = .participant },
            Row("anna", .leave, 200),
            Row("otto", .leave, 200) { $1.bans = [.init(account: "*@example.com")] },
        ])
    fileprivate func ruling(row: Row) { check(row) }

    @Test(
        "who may make a room",
        arguments: [
            ("anna@elsewhere.org", RoomConfiguration.Group.everyone, true),
            ("anna@elsewhere.org", .domain, false), ("anna@example.com", .domain, true),
            ("anna@example.com", .listed, false), ("maker@example.com", .listed, true),
            ("maker@example.com", .owners, false), ("maker@example.com", .nobody, false),
        ])
    func creating(account: String, group: RoomConfiguration.Group, isAllowed: Bool) {
        let decision = RoomPolicy.mayCreate(
            .init(account: account), RoomAddress(user: "new", domain: "example.com"), group: group,
            listed: ["maker@example.com"])
        #expect((decision == .allow) == isAllowed)
    }
}
