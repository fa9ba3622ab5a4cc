import MediaMixer
import Payloads
import Support
import Testing

@testable import Focus

@Suite("Documents about a room")
struct RoomTellingTests {
    private let room = RoomAddress(user: "lobby", domain: "example.com")
    private var roster = Roster()
    private var telling = RoomTelling()
    private var facts = RoomFacts(address: RoomAddress(user: "lobby", domain: "example.com"))
    private var owners: Set<String> = []

    private func member(
        _ number: UInt64, _ name: String, displayName: String? = nil, nickname: String? = nil, active: Bool = true
    ) -> MemberSnapshot {
        MemberSnapshot(
            id: MemberID(number: number), room: room, uri: "sip:\(name)@example.org", displayName: displayName,
            nickname: nickname, isJoined: true, isMediaActive: active)
    }

    private func arrival(_ name: String, device: String? = nil, referredBy: String? = nil) -> Roster.Arrival {
        Roster.Arrival(
            uri: "sip:\(name)@example.org", account: "\(name)@example.org", device: device, referredBy: referredBy)
    }

    private mutating func join(_ number: UInt64, _ name: String, device: String? = nil) {
        roster.expect(
            MemberID(number: number), in: room,
            arrival(name, device: device ?? "sip:\(name)@192.0.2.\(number):5060"), at: 1_000)
        _ = roster.apply(.joined(member(number, name)), at: 1_001)
    }

    private mutating func whole() throws -> ConferenceInfo {
        let (facts, owners) = (facts, owners)
        let octets = roster.withRoom(room) { people in
            telling.wholeDocument(&people, facts) { owners.contains($0) ? .owner : .participant }
        }
        try check(octets)
        return try ConferenceInfo(parsing: octets)
    }

    /// What the next revision says; nil when there is nothing new.
    private mutating func news(isWholeOnly: Bool = false) throws -> ConferenceInfo? {
        let (facts, owners) = (facts, owners)
        let roles: RoomTelling.Roles = { owners.contains($0) ? .owner : .participant }
        let isNew = roster.withRoom(room) { telling.tell(&$0, facts, roles, isWholeOnly: isWholeOnly) }
        guard isNew else { return nil }
        if isWholeOnly { return try whole() }
        let octets = try #require(telling.changes)
        try check(octets)
        return try ConferenceInfo(parsing: octets)
    }

    private func check(_ octets: [UInt8]) throws {
        if DocumentSchema.isAvailable { try DocumentSchema.conferenceInfo.validate([octets]) }
    }

    private func user(_ info: ConferenceInfo?, _ name: String) throws -> ConferenceInfo.User {
        try #require(info?.users?.list.first { $0.entity == "sip:\(name)@example.org" })
    }

    @Test("RFC 4575 5: the whole state")
    mutating func wholeState() throws {
        facts.title = "The lobby"
        facts.subject = "Tea & cake"
        facts.freeText = "<all day>"
        facts.keywords = ["tea", "cake"]
        facts.maximumUsers = 50
        facts.hostName = "example.com"
        facts.isLocked = true
        owners = ["alice@example.org"]
        join(1, "alice")
        join(2, "bob")
        _ = roster.apply(.nicknameChanged(member(2, "bob", nickname: "Bobby")), at: 1_002)
        let info = try whole()
        #expect(info.entity == "sip:lobby@example.com")
        #expect(info.state == .full)
        #expect(info.version == 1)
        #expect(info.description?.displayText == "The lobby")
        #expect(info.description?.subject == "Tea & cake")
        #expect(info.description?.freeText == "<all day>")
        #expect(info.description?.keywords == ["tea", "cake"])
        #expect(info.description?.conferenceURIs.map(\.uri) == ["sip:lobby@example.com"])
        #expect(info.description?.maximumUserCount == 50)
        #expect(info.description?.availableMedia.map(\.type) == ["message"])
        #expect(info.hostInfo?.displayText == "example.com")
        #expect(info.conferenceState == .init(userCount: 2, isActive: true, isLocked: true))
        #expect(info.users?.list.map(\.entity) == ["sip:alice@example.org", "sip:bob@example.org"])
        let alice = try user(info, "alice")
        #expect(alice.roles == ["owner"])
        let endpoint = try #require(alice.endpoints.first)
        #expect(endpoint.entity == "sip:alice@192.0.2.1:5060")
        #expect(endpoint.status == .connected)
        #expect(endpoint.joiningMethod == .dialedIn)
        #expect(endpoint.joiningInfo?.when == "1970-01-01T00:16:41.000Z")
        #expect(endpoint.media.map(\.type) == ["message"])
        #expect(endpoint.media.map(\.status) == [.sendReceive])
        #expect(endpoint.media.map(\.label) == info.description?.availableMedia.map(\.label))
        #expect(try user(info, "bob").nickname == "Bobby")
    }

    @Test("RFC 4575 4.4: partial state holds what has changed and nothing else")
    mutating func partial() throws {
        join(1, "alice")
        _ = try whole()
        _ = try news()
        #expect(try news() == nil)
        join(2, "bob")
        var info = try #require(try news())
        #expect(info.state == .partial)
        #expect(info.version == 3)
        #expect(info.users?.state == .partial)
        #expect(info.users?.list.map(\.entity) == ["sip:bob@example.org"])
        #expect(info.conferenceState?.userCount == 2)
        #expect(info.description == nil)
        facts.subject = "Cake"
        info = try #require(try news())
        #expect(info.version == 4)
        #expect(info.description?.subject == "Cake")
        #expect(info.users == nil)
        #expect(info.conferenceState == nil)
    }

    @Test("RFC 4575 5.7.6: who leaves is shown as disconnected once, and deleted then")
    mutating func departure() throws {
        join(1, "alice")
        join(2, "bob")
        _ = try whole()
        _ = try news()
        _ = roster.apply(.left(member(2, "bob"), .departed), at: 1_060)
        let bob = try user(try news(), "bob")
        #expect(bob.endpoints.map(\.status) == [.disconnected])
        #expect(bob.endpoints.map(\.disconnectionMethod) == [.departed])
        #expect(bob.endpoints.first?.disconnectionInfo?.when == "1970-01-01T00:17:40.000Z")
        #expect(roster.rooms[room]?.hasNews == true)
        #expect(try user(try news(), "bob").state == .deleted)
        #expect(try news() == nil)
        #expect(try whole().users?.list.map(\.entity) == ["sip:alice@example.org"])
    }

    @Test("RFC 4575 5.7.6: booted, by whom and why")
    mutating func booted() throws {
        join(1, "alice")
        join(2, "bob")
        _ = try news()
        _ = roster.removed(
            MemberID(number: 2), reason: "SIP;cause=403;text=\"spam\"", by: "sip:alice@example.org", at: 1_060)
        // The mixer's own word comes later and changes nothing.
        #expect(roster.apply(.left(member(2, "bob"), .departed), at: 1_061) == nil)
        let info = try #require(try news())
        let endpoint = try #require(try user(info, "bob").endpoints.first)
        #expect(endpoint.disconnectionMethod == .booted)
        #expect(endpoint.disconnectionInfo?.by == "sip:alice@example.org")
        #expect(endpoint.disconnectionInfo?.reason == "Reason: SIP;cause=403;text=\"spam\"")
        #expect(info.conferenceState?.userCount == 1)
    }

    @Test("whole documents show who has left once, too")
    mutating func departureInWholes() throws {
        join(1, "alice")
        join(2, "bob")
        _ = try news(isWholeOnly: true)
        _ = roster.removed(MemberID(number: 2), reason: nil, by: nil, at: 1_060)
        let info = try #require(try news(isWholeOnly: true))
        #expect(info.state == .full)
        #expect(try user(info, "bob").endpoints.map(\.disconnectionMethod) == [.booted])
        #expect(try news(isWholeOnly: true)?.users?.list.map(\.entity) == ["sip:alice@example.org"])
    }

    @Test("RFC 4575 5.6.6: two devices of one user are two endpoints, and one may leave")
    mutating func devices() throws {
        join(1, "alice")
        join(2, "alice")
        #expect(try whole().users?.list.count == 1)
        #expect(try user(try news(), "alice").endpoints.count == 2)
        _ = roster.apply(.left(member(1, "alice"), .departed), at: 1_060)
        #expect(try user(try news(), "alice").endpoints.map(\.status) == [.disconnected, .connected])
        let alice = try user(try news(), "alice")
        #expect(alice.state == .full)
        #expect(alice.endpoints.map(\.status) == [.connected])
    }

    @Test("RFC 4575 5.7: two devices with one Contact are told apart")
    mutating func sameContact() throws {
        join(1, "alice", device: "sip:alice@192.0.2.1")
        join(2, "alice", device: "sip:alice@192.0.2.1")
        let entities = try user(try whole(), "alice").endpoints.map(\.entity)
        #expect(entities.first == "sip:alice@192.0.2.1")
        #expect(Set(entities).count == 2)
    }

    @Test("RFC 4575 5.7.3: pending, on hold and connected again")
    mutating func statuses() throws {
        roster.expect(MemberID(number: 1), in: room, arrival("alice"), at: 1_000)
        #expect(try user(try whole(), "alice").endpoints.map(\.status) == [.pending])
        #expect(try whole().conferenceState?.userCount == 0)
        #expect(roster.apply(.joined(member(1, "alice", active: false)), at: 1_001) == room)
        var alice = try user(try news(), "alice")
        #expect(alice.endpoints.map(\.status) == [.connected])
        #expect(alice.endpoints.first?.media.map(\.status) == [.inactive])
        _ = roster.apply(.mediaActive(member(1, "alice")), at: 1_001)
        #expect(roster.setDirection(.inactive, of: MemberID(number: 1)) == room)
        #expect(roster.setDirection(.inactive, of: MemberID(number: 1)) == nil)
        alice = try user(try news(), "alice")
        #expect(alice.endpoints.map(\.status) == [.onHold])
        #expect(alice.endpoints.first?.media.map(\.status) == [.inactive])
        #expect(roster.setDirection(.sendReceive, of: MemberID(number: 1)) == room)
        #expect(try user(try news(), "alice").endpoints.first?.media.map(\.status) == [.sendReceive])
    }

    @Test("who was shown as pending and never came is deleted; who was not shown leaves no trace")
    mutating func neverCame() throws {
        roster.expect(MemberID(number: 1), in: room, arrival("alice"), at: 1_000)
        roster.expect(MemberID(number: 2), in: room, arrival("bob"), at: 1_000)
        #expect(roster.apply(.left(member(2, "bob"), .notCompleted), at: 1_005) == nil)
        _ = try whole()
        #expect(roster.apply(.left(member(1, "alice"), .notCompleted), at: 1_005) == room)
        #expect(try news()?.users?.list == [.init(entity: "sip:alice@example.org", state: .deleted)])
        #expect(roster.rooms[room] == nil)
    }

    @Test("RFC 4575 5.7.2: who is called is dialing-out, alerting, and connected")
    mutating func dialOut() throws {
        let target = Roster.DialOut(
            uri: "sip:carol@example.org", account: "carol@example.org", referredBy: "sip:alice@example.org")
        #expect(roster.dialling(1, target, in: room, at: 1_000) == room)
        var carol = try user(try news(), "carol")
        #expect(carol.endpoints.map(\.status) == [.dialingOut])
        #expect(carol.endpoints.first?.referred?.by == "sip:alice@example.org")
        #expect(roster.alerting(1) == room)
        #expect(roster.alerting(1) == nil)
        #expect(try user(try news(), "carol").endpoints.map(\.status) == [.alerting])
        var here = arrival("carol", device: "sip:carol@192.0.2.9", referredBy: "sip:alice@example.org")
        here.joining = .dialedOut
        roster.expect(MemberID(number: 9), in: room, here, at: 1_009)
        _ = roster.dialOutEnded(1, .joined, at: 1_009)
        _ = roster.apply(.joined(member(9, "carol")), at: 1_010)
        carol = try user(try news(), "carol")
        #expect(carol.endpoints.map(\.status) == [.connected])
        #expect(carol.endpoints.first?.joiningMethod == .dialedOut)
        #expect(carol.endpoints.first?.joiningInfo?.by == "sip:alice@example.org")
    }

    @Test(
        "RFC 4575 5.7.6: why a call of ours failed",
        arguments: [
            (486, ConferenceInfo.DisconnectionMethod.busy), (600, .busy), (404, .failed), (408, .failed),
        ])
    mutating func dialOutFails(status: Int, method: ConferenceInfo.DisconnectionMethod) throws {
        let target = Roster.DialOut(uri: "sip:carol@example.org", account: "carol@example.org")
        _ = roster.dialling(1, target, in: room, at: 1_000)
        _ = try news()
        #expect(roster.dialOutEnded(1, .failed(status: status, phrase: "No \"way\""), at: 1_001) == room)
        let endpoint = try #require(try user(try news(), "carol").endpoints.first)
        #expect(endpoint.disconnectionMethod == method)
        #expect(endpoint.disconnectionInfo?.reason == "Reason: SIP;cause=\(status);text=\"No way\"")
        #expect(try user(try news(), "carol").state == .deleted)
    }

    @Test("RFC 4575 8.2: nothing of an anonymous participant shows")
    mutating func anonymous() throws {
        let arrival = Roster.Arrival(
            uri: "sip:anonymous-1@anonymous.invalid", account: "alice@example.org", isAnonymous: true,
            device: "sip:alice@192.0.2.1")
        roster.expect(MemberID(number: 1), in: room, arrival, at: 1_000)
        _ = roster.dialling(
            4, .init(uri: "sip:bob@example.org", account: "bob@example.org", displayName: "Bob", isAnonymous: true),
            in: room, at: 1_000)
        let (facts) = facts
        let octets = roster.withRoom(room) { people in
            telling.wholeDocument(&people, facts) { _ in .participant }
        }
        let text = String(decoding: octets, as: UTF8.self)
        #expect(!text.contains("alice") && !text.contains("192.0.2.1") && !text.lowercased().contains("bob"))
        #expect(text.contains("sip:anonymous-1@anonymous.invalid"))
        try check(octets)
    }

    @Test("RFC 3891: a device takes another's place, and nobody comes or leaves")
    mutating func replaced() throws {
        join(1, "alice")
        _ = try news()
        roster.expect(MemberID(number: 2), in: room, arrival("alice", device: "sip:alice@192.0.2.77"), at: 1_500)
        #expect(roster.replace(MemberID(number: 1), by: MemberID(number: 2)) == room)
        #expect(roster.apply(.left(member(1, "alice"), .replaced), at: 1_501) == nil)
        let info = try news()
        let endpoint = try #require(try user(info, "alice").endpoints.first)
        #expect(endpoint.entity == "sip:alice@192.0.2.77")
        #expect(endpoint.status == .connected)
        #expect(endpoint.joiningInfo?.when == "1970-01-01T00:16:41.000Z")
        #expect(info?.conferenceState == nil)
    }

    @Test("who comes back before the going was told, and does not stay, is deleted all the same")
    mutating func comesBack() throws {
        join(1, "alice")
        join(2, "bob")
        _ = try news()
        _ = roster.apply(.left(member(2, "bob"), .departed), at: 1_060)
        _ = try news()
        roster.expect(MemberID(number: 3), in: room, arrival("bob"), at: 1_061)
        #expect(roster.apply(.left(member(3, "bob"), .notCompleted), at: 1_066) == room)
        #expect(try user(try news(), "bob").state == .deleted)
        #expect(try whole().conferenceState?.userCount == 1)
    }

    @Test("a new role is news")
    mutating func roles() throws {
        join(1, "alice")
        join(2, "bob")
        _ = try news()
        owners = ["bob@example.org"]
        roster.withRoom(room) { $0.updateRoles { $0 == "bob@example.org" ? .owner : .participant } }
        let info = try #require(try news())
        #expect(info.users?.list.map(\.entity) == ["sip:bob@example.org"])
        #expect(try user(info, "bob").roles == ["owner"])
    }

    @Test("a document is rendered once, whoever gets it, and a user's element once until it changes")
    mutating func renderedOnce() throws {
        join(1, "alice")
        join(2, "bob")
        _ = try news()
        let before = telling.rendered
        for _ in 1...50 { _ = try whole() }
        #expect(telling.rendered == before + 1)
        let fragment = try #require(roster.rooms[room]?.users["sip:alice@example.org"]?.fragment)
        join(3, "carol")
        _ = try news()
        _ = try whole()
        #expect(roster.rooms[room]?.users["sip:alice@example.org"]?.fragment == fragment)
    }

    @Test("display names of any kind make well-formed documents")
    mutating func names() throws {
        for (number, name) in ["<&>\"'", "\u{1}\u{7f}\u{fffe}", "\u{1F600}\u{202e}", "]]>"].enumerated() {
            let id = UInt64(number + 1)
            _ = roster.apply(.joined(member(id, "u\(id)", displayName: name, nickname: name)), at: 1_000)
        }
        #expect(try whole().users?.list.count == 4)
    }

    @Test("what fits into a datagram: how many are there, and the subscriber")
    mutating func brief() throws {
        for number in UInt64(1)...300 { join(number, "user\(number)") }
        let facts = facts
        let octets = roster.withRoom(room) { people in
            RoomTelling.brief(
                &people, facts, { _ in .participant }, subscriber: "sip:user7@example.org", isWhole: true, version: 1)
        }
        try check(octets)
        #expect(octets.count < 2_000)
        let info = try ConferenceInfo(parsing: octets)
        #expect(info.state == .full)
        #expect(info.conferenceState?.userCount == 300)
        #expect(info.users?.state == .partial)
        #expect(info.users?.list.map(\.entity) == ["sip:user7@example.org"])
        try check(RoomTelling.deleted(room, version: 9))
    }

    @Test("RFC 5025 3.2.1, polite-block: nobody is there and nothing is said")
    mutating func neutral() throws {
        facts.subject = "Secret"
        join(1, "alice")
        let octets = RoomTelling.neutral(room, version: 3)
        try check(octets)
        let info = try ConferenceInfo(parsing: octets)
        #expect(info.version == 3)
        #expect(info.users?.list.isEmpty == true)
        #expect(info.conferenceState == .init(userCount: 0, isActive: false))
        #expect(!String(decoding: octets, as: UTF8.self).contains("Secret"))
    }

    @Test("nobody listens: who has left is forgotten at once")
    mutating func forgotten() {
        join(1, "alice")
        _ = roster.apply(.left(member(1, "alice"), .departed), at: 1_060)
        roster.forgetDeparted(room)
        #expect(roster.rooms[room] == nil)
    }

    @Test("RFC 4575 4.6: a subscriber that applies every partial document has the whole")
    mutating func applied() throws {
        var known = try whole()
        var version: UInt32 = 1
        var generator = Seeded(state: 4_575)
        var inside: [UInt64] = []
        for step in 0..<60 {
            switch Int.random(in: 0..<6, using: &generator) {
            case 0 where !inside.isEmpty:
                let number = inside.remove(at: Int.random(in: 0..<inside.count, using: &generator))
                _ = roster.apply(.left(member(number, "u\(number % 7)"), .departed), at: 2_000)
            case 1:
                facts.subject = "s\(step)"
            case 2 where !inside.isEmpty:
                let number = inside[Int.random(in: 0..<inside.count, using: &generator)]
                _ = roster.setDirection(step % 2 == 0 ? .receiveOnly : .sendReceive, of: MemberID(number: number))
            default:
                let number = UInt64(step + 1)
                join(number, "u\(number % 7)")
                inside.append(number)
            }
            if step % 3 == 0 {
                telling.invalidate()
                if let news = try news() {
                    version += 1
                    #expect(news.version == version)
                    known = known.applying(news)
                }
            }
        }
        for _ in 0..<2 {
            telling.invalidate()
            if let news = try news() { known = known.applying(news) }
        }
        let truth = try whole()
        #expect(Set(known.users?.list ?? []) == Set(truth.users?.list ?? []))
        #expect(known.description == truth.description)
        #expect(known.conferenceState == truth.conferenceState)
    }
}

/// SplitMix64: the same numbers each time.
private struct Seeded: RandomNumberGenerator {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9e37_79b9_7f4a_7c15
        var z = state
        z = (z ^ (z >> 30)) &* 0xbf58_476d_1ce4_e5b9
        z = (z ^ (z >> 27)) &* 0x94d0_49bb_1331_11eb
        return z ^ (z >> 31)
    }
}
