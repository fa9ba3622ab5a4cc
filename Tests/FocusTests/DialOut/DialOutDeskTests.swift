import MediaMixer
import Testing

@testable import Focus
@testable import SIP

/// How many may be called at a time, and how often.
@Suite struct DialOutDeskTests {
    private let start = ContinuousClock.now
    private let other = RoomAddress(user: "other", domain: "example.com")

    private func add(
        _ desk: inout DialOutDesk, _ user: String, host: String = "h", room: RoomAddress = Bench.room,
        by account: String? = "alice@h", _ limits: DialConfiguration.Limits, after: Duration = .zero
    ) throws(DialOutDesk.Refusal) -> UInt64 {
        try desk.add(
            Invitee(uri: SIPURI(user: user, host: host)), room: room,
            caller: account.map { Caller(uri: "sip:\($0)", account: $0) }, referredBy: nil, history: nil, report: .none,
            terms: .init(method: .invite, fallback: nil, offersTLS: [false]), limits: limits, now: start + after)
    }

    @Test("only so many are called at a time in a room, the others wait in their order (underWayPerRoom)")
    func perRoom() throws {
        var limits = DialConfiguration.Limits()
        limits.underWayPerRoom = 2
        var desk = DialOutDesk()
        let ids = try ["a", "b", "c", "d"].map { try add(&desk, $0, limits) }
        let foreign = try add(&desk, "a", room: other, limits)
        #expect(desk.startable(limits) == [ids[0], ids[1], foreign])
        #expect(desk.startable(limits) == [])
        desk.remove(ids[1])
        #expect(desk.startable(limits) == [ids[2]])
        #expect(desk.underWay == 3)
        #expect(desk.waiting == 1)
    }

    @Test("only so many are called at a time for one account (underWayPerAccount), an operator excepted")
    func perAccount() throws {
        var limits = DialConfiguration.Limits()
        limits.underWayPerAccount = 1
        var desk = DialOutDesk()
        let first = try add(&desk, "a", limits)
        let second = try add(&desk, "b", room: other, limits)
        let third = try add(&desk, "c", by: "bob@h", limits)
        let fourth = try add(&desk, "d", by: nil, limits)
        let fifth = try add(&desk, "e", by: nil, limits)
        #expect(desk.startable(limits) == [first, third, fourth, fifth])
        desk.remove(first)
        #expect(desk.startable(limits) == [second])
    }

    @Test("only so many are called at a time in all (underWay)")
    func inAll() throws {
        var limits = DialConfiguration.Limits()
        limits.underWay = 1
        var desk = DialOutDesk()
        let first = try add(&desk, "a", limits)
        let second = try add(&desk, "b", room: other, by: "bob@h", limits)
        #expect(desk.startable(limits) == [first])
        desk.remove(first)
        #expect(desk.startable(limits) == [second])
        desk.remove(second)
        #expect(desk.underWay == 0)
        #expect(desk.count == 0)
    }

    @Test("only so many wait, in all and for one account (waiting, waitingPerAccount)")
    func queues() throws {
        var limits = DialConfiguration.Limits()
        limits.waiting = 3
        limits.waitingPerAccount = 2
        var desk = DialOutDesk()
        let first = try add(&desk, "a", limits)
        _ = try add(&desk, "b", limits)
        #expect(throws: DialOutDesk.Refusal.limit("waitingPerAccount")) { try add(&desk, "c", limits) }
        _ = try add(&desk, "c", by: "bob@h", limits)
        #expect(throws: DialOutDesk.Refusal.limit("waiting")) { try add(&desk, "d", by: "carol@h", limits) }
        desk.remove(first)
        _ = try add(&desk, "d", limits)
    }

    @Test("nobody is called twice at a time by one room")
    func twice() throws {
        let limits = DialConfiguration.Limits()
        var desk = DialOutDesk()
        let first = try add(&desk, "a", limits)
        #expect(throws: DialOutDesk.Refusal.underWay) { try add(&desk, "a", limits) }
        _ = try add(&desk, "a", room: other, limits)
        #expect(desk.entry(for: "a@h", in: Bench.room)?.id == first)
        desk.remove(first)
        _ = try add(&desk, "a", limits)
    }

    @Test("an address is called only so often (burstPerAddress, intervalPerAddress)")
    func ratePerAddress() throws {
        var limits = DialConfiguration.Limits()
        limits.burstPerAddress = 2
        limits.intervalPerAddress = .seconds(10)
        var desk = DialOutDesk()
        for _ in 0..<2 { desk.remove(try add(&desk, "a", limits)) }
        #expect(throws: DialOutDesk.Refusal.limit("burstPerAddress")) { try add(&desk, "a", limits) }
        desk.remove(try add(&desk, "b", limits))
        #expect(throws: DialOutDesk.Refusal.limit("burstPerAddress")) {
            try add(&desk, "a", limits, after: .milliseconds(9_999))
        }
        desk.remove(try add(&desk, "a", limits, after: .seconds(10)))
        #expect(throws: DialOutDesk.Refusal.limit("burstPerAddress")) {
            try add(&desk, "a", limits, after: .seconds(10))
        }
    }

    @Test("a host is called only so often, however many users it has (burstPerHost)")
    func ratePerHost() throws {
        var limits = DialConfiguration.Limits()
        limits.burstPerHost = 2
        var desk = DialOutDesk()
        _ = try add(&desk, "a", host: "victim.example", limits)
        _ = try add(&desk, "b", host: "VICTIM.example.", limits)
        #expect(throws: DialOutDesk.Refusal.limit("burstPerHost")) {
            try add(&desk, "c", host: "victim.example", limits)
        }
        _ = try add(&desk, "c", host: "other.example", limits)
    }

    @Test("what is remembered about destinations is bounded, and forgotten in time (rememberedDestinations)")
    func memory() {
        var rate = DestinationRate()
        func take(_ destination: String, _ after: Duration) -> Bool {
            rate.take(destination, burst: 1, interval: .seconds(1), limit: 2, now: start + after)
        }
        #expect(take("a", .zero))
        #expect(take("b", .zero))
        #expect(!take("c", .zero))
        #expect(take("c", .seconds(1)))
        #expect(rate.count == 1)
    }

    @Test("an answer is found by the newest call, an old one's end by the older")
    func newest() throws {
        let limits = DialConfiguration.Limits()
        var desk = DialOutDesk()
        let id = try add(&desk, "a", limits)
        desk.sent(Call(id: 1), for: id)
        desk.sent(Call(id: 2), for: id)
        #expect(desk.entry(of: Call(id: 1)) == nil)
        #expect(desk.entry(of: Call(id: 2))?.id == id)
        #expect(desk.forget(Call(id: 1)) == true)
        #expect(desk.forget(Call(id: 3)) == false)
    }

    @Test("what is over leaves nothing behind")
    func forgotten() throws {
        let limits = DialConfiguration.Limits()
        var desk = DialOutDesk()
        let id = try add(&desk, "a", limits)
        desk.sent(Exchange(id: 1), for: id)
        desk.sent(Exchange(id: 2), for: id)
        #expect(desk.entry(of: Exchange(id: 1))?.exchange == Exchange(id: 2))
        desk.remove(id)
        #expect(desk.entry(of: Exchange(id: 1)) == nil)
        #expect(desk.entry(of: Exchange(id: 2)) == nil)
        #expect(desk.entry(for: "a@h", in: Bench.room) == nil)
        #expect(desk.waiting == 0)
    }
}
