import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

@Suite("SUBSCRIBE to a room")
struct SubscribingTests {
    private static let elsewhere = Endpoint(transport: .udp, host: "203.0.113.9", port: 5060)

    private static func bench(
        _ subscribers: RoomConfiguration.Subscribers = .all, _ change: (inout FocusConfiguration) -> Void = { _ in }
    ) -> Bench {
        Bench {
            var room = RoomConfiguration(address: Bench.room)
            room.subscribe = subscribers
            $0.rooms = [room]
            change(&$0)
        }
    }

    //  subscriber            focus
    //      |--- SUBSCRIBE ---->|
    //      |<------ 200 -------|
    //      |<----- NOTIFY -----|  active, whole
    //      |------- 200 ------>|
    //      |                   |  somebody joins
    //      |<----- NOTIFY -----|  partial
    @Test("RFC 6665 4.2.1: 200 and at once the whole state; then what changes, with consecutive versions")
    func walk() async throws {
        let bench = Self.bench()
        let (answer, sent) = try await bench.subscribe()
        #expect(answer.status == 200)
        #expect(answer.header("Expires") == "3600")
        #expect(answer.contact == "<sip:lobby@192.0.2.1:5060>;isfocus")
        let first = try #require(sent)
        #expect(first.method == "NOTIFY")
        #expect(first.dialog == .dialog(Dialog(id: answer.transaction.id)))
        #expect(first.header("Event") == "conference")
        #expect(first.header("Subscription-State") == "active;expires=3600")
        var document = try first.document()
        #expect(document.state == .full)
        #expect(document.version == 1)
        #expect(document.entity == "sip:lobby@example.com")
        await bench.confirm(first)
        let (_, member) = try await bench.enter("bob")
        await bench.fireTimers()
        let second = try await bench.nextSent()
        document = try second.document()
        #expect(document.state == .partial)
        #expect(document.version == 2)
        #expect(document.users?.list.map(\.entity) == ["sip:bob@example.org"])
        await bench.confirm(second)
        await bench.focus.handle(.nicknameChanged(Bench.snapshot(member, "bob", isMediaActive: true)))
        await bench.expectQuiet()
    }

    @Test("the mixer is told who sees the roster, with all devices, as long as there is a subscription")
    func mixerIsTold() async throws {
        let bench = Self.bench()
        let (_, alice) = try await bench.enter("alice")
        let (_, bob) = try await bench.enter("bob")
        let (dialog, _) = try await bench.watch()
        #expect(bench.mixer.subscribed == [alice])
        let (_, phone) = try await bench.enter("alice")
        #expect(bench.mixer.subscribed == [alice, phone])
        let (answer, last) = try await bench.subscribe(
            Bench.subscribe(["Expires": "0", "CSeq": "2 SUBSCRIBE"]), within: dialog)
        #expect(answer.status == 200)
        await bench.confirm(try #require(last))
        #expect(bench.mixer.subscribed == [])
        #expect(bob != alice)
    }

    @Test("RFC 4575 3.9: what changes within the interval is told together")
    func gathered() async throws {
        let bench = Self.bench()
        try await bench.watch()
        _ = try await bench.enter("bob")
        await bench.fireTimers()
        await bench.confirm(try await bench.nextSent())
        _ = try await bench.enter("carol")
        _ = try await bench.enter("dave")
        #expect(bench.stack.pendingDelays.contains(.seconds(5)))
        await bench.expectQuiet()
        bench.clock.advance(by: .seconds(5))
        await bench.fireTimers()
        let document = try await bench.nextSent().document()
        #expect(document.version == 3)
        #expect(document.users?.list.map(\.entity) == ["sip:carol@example.org", "sip:dave@example.org"])
        await bench.expectQuiet()
    }

    @Test("RFC 6665 4.2.1.4: refreshed by SUBSCRIBE, with the whole state again")
    func refreshed() async throws {
        let bench = Self.bench()
        let (dialog, _) = try await bench.watch()
        bench.clock.advance(by: .seconds(3000))
        let (answer, sent) = try await bench.subscribe(Bench.subscribe(["Expires": "1200"]), within: dialog)
        #expect(answer.header("Expires") == "1200")
        let notify = try #require(sent)
        #expect(notify.dialog == dialog)
        #expect(notify.state?.expires == 1200)
        #expect(try notify.document().state == .full)
        await bench.confirm(notify)
        bench.clock.advance(by: .seconds(1199))
        await bench.fireTimers()
        await bench.expectQuiet()
    }

    @Test("RFC 6665 4.2.1.4: over by time, and the dialog is closed when the last NOTIFY is answered")
    func expired() async throws {
        let bench = Self.bench()
        let (dialog, _) = try await bench.watch(Bench.subscribe(["Expires": "60"]))
        bench.clock.advance(by: .seconds(61))
        await bench.fireTimers()
        let last = try await bench.nextSent()
        #expect(last.header("Subscription-State") == "terminated;reason=timeout")
        await bench.confirm(last)
        guard case .dialog(let own) = dialog else { return }
        #expect(await bench.next() == .close(own))
        #expect(await bench.focus.notifyCounters.subscriptions == 0)
        let (answer, _) = try await bench.subscribe(within: dialog)
        #expect(answer.status == 481)
    }

    @Test("RFC 6665 4.4.3: Expires 0 fetches the state, or ends what is there")
    func fetched() async throws {
        let bench = Self.bench()
        var (answer, sent) = try await bench.subscribe(Bench.subscribe(["Expires": "0"]))
        #expect(answer.header("Expires") == "0")
        #expect(sent?.header("Subscription-State") == "terminated;reason=timeout")
        #expect(try sent?.document().state == .full)
        await bench.confirm(try #require(sent))
        let (dialog, _) = try await bench.watch()
        (answer, sent) = try await bench.subscribe(Bench.subscribe(["Expires": "0"]), within: dialog)
        #expect(sent?.header("Subscription-State") == "terminated;reason=timeout")
        #expect(try sent?.document().version == 1)
    }

    @Test("within a call: the participant's own dialog carries the NOTIFYs, until the call ends")
    func withinCall() async throws {
        let bench = Self.bench(.participants)
        let (call, _) = try await bench.enter("alice")
        let (dialog, notify) = try await bench.watch(within: .call(call))
        #expect(dialog == .call(call))
        #expect(try notify.document().users?.list.map(\.entity) == ["sip:alice@example.org"])
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@example.com")))
        await bench.focus.handle(.ended(call, .bye))
        #expect(await bench.focus.notifyCounters.subscriptions == 0)
        let (answer, _) = try await bench.subscribe(within: .call(call))
        #expect(answer.status == 481)
    }

    @Test("RFC 6665 4.4.1: several in one dialog are told apart by their ids")
    func ids() async throws {
        let bench = Self.bench()
        let (call, _) = try await bench.enter("alice")
        for id in 1...4 {
            let (_, notify) = try await bench.watch(
                Bench.subscribe(["Event": "conference;id=\(id)"]), within: .call(call))
            #expect(notify.header("Event") == "conference;id=\(id)")
        }
        #expect(await bench.focus.notifyCounters.subscriptions == 4)
        let (answer, _) = try await bench.subscribe(Bench.subscribe(["Event": "conference;id=5"]), within: .call(call))
        #expect(answer.status == 480)
        let (_, notify) = try await bench.subscribe(
            Bench.subscribe(["Event": "conference;id=2", "Expires": "0"]), within: .call(call))
        #expect(notify?.header("Event") == "conference;id=2")
        #expect(notify?.state?.isTerminated == true)
    }

    @Test("participants may where nobody else may")
    func participants() async throws {
        let bench = Self.bench(.participants)
        var (answer, _) = try await bench.subscribe()
        #expect(answer.status == 403)
        _ = try await bench.invite()
        (answer, _) = try await bench.subscribe()
        #expect(answer.status == 200)
    }

    @Test("who may because of being there is told no more after having left")
    func leaves() async throws {
        let bench = Self.bench(.participants)
        let (call, member) = try await bench.enter("alice")
        try await bench.watch(Bench.subscribe(["Call-ID": "other"]))
        _ = try await bench.enter("bob")
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@example.com")))
        await bench.focus.handle(.ended(call, .bye))
        await bench.focus.handle(.left(Bench.snapshot(member, "alice", isMediaActive: false), .departed))
        await bench.fireTimers()
        #expect(try await bench.nextSent().header("Subscription-State") == "terminated;reason=rejected")
    }

    @Test("by being removed")
    func removed() async throws {
        let bench = Self.bench()
        let (call, _) = try await bench.enter("alice")
        try await bench.watch(within: .call(call))
        _ = try await bench.focus.kick("alice@example.org", in: Bench.room, reason: "enough")
        let notify = try await bench.nextSent()
        #expect(notify.dialog == .call(call))
        #expect(notify.header("Subscription-State") == "terminated;reason=rejected")
    }

    @Test("RFC 4575 3.3: by the room's end")
    func roomEnds() async throws {
        let bench = Bench()
        let (call, _) = try await bench.enter("alice")
        let (dialog, _) = try await bench.watch(
            Bench.subscribe(from: "<sip:bob@example.org>;tag=b", source: Self.elsewhere))
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@example.com")))
        await bench.focus.handle(.ended(call, .bye))
        let notify = try await bench.nextSent()
        #expect(notify.dialog == dialog)
        #expect(notify.header("Subscription-State") == "terminated;reason=noresource")
        #expect(try notify.document().state == .deleted)
        await bench.confirm(notify)
        #expect(await bench.focus.notifyCounters.subscriptions == 0)
        let (answer, _) = try await bench.subscribe()
        #expect(answer.status == 404)
    }

    @Test("a room made on demand lets everybody subscribe, a static one without a document nobody (RFC 5025)")
    func documents() async throws {
        let bench = Self.bench(.policy)
        #expect(try await bench.subscribe().0.status == 403)
        let other = Bench()
        _ = try await other.enter("alice")
        let stranger = Bench.subscribe(from: "<sip:eve@example.net>;tag=e", source: Self.elsewhere)
        #expect(try await other.subscribe(stranger).0.status == 200)
    }

    @Test(
        "RFC 6665 4.2.1, RFC 3261 8.2: what is refused",
        arguments: [
            (["Event": "presence"], 489), (["Event": ""], 489), (["Expires": "5"], 423),
            (["Accept": "application/pidf+xml"], 406), (["Contact": ""], 400), (["Require": "eventlist"], 420),
            (["To": "<sip:lobby@example.com>;tag=old"], 481), (["Contact": "<tel:+123>"], 400),
        ])
    func refused(headers: [String: String], status: Int) async throws {
        let bench = Self.bench()
        let (answer, _) = try await bench.subscribe(Bench.subscribe(headers))
        #expect(answer.status == status)
        await bench.expectQuiet()
        #expect(await bench.focus.notifyCounters.subscriptions == 0)
    }

    @Test("RFC 3261 8.2.2.1: rooms that aren't there")
    func unknown() async throws {
        let bench = Self.bench()
        for (uri, status) in [
            ("sip:nobody@example.com", 404), ("sip:lobby@example.net", 404), ("sip:example.com", 404),
            ("tel:+123", 416),
        ] {
            let request = Request.make("SUBSCRIBE", uri, headers: ["Event": "conference"])
            #expect(try await bench.subscribe(request).0.status == status, "\(uri)")
        }
    }

    @Test("limits have names: of a room, of a source, of all")
    func limits() async throws {
        let bench = Self.bench { $0.notifying.maximumPerRoom = 1 }
        try await bench.watch()
        #expect(try await bench.subscribe().0.status == 480)
        let other = Self.bench { $0.notifying.maximumPerSource = 1 }
        try await other.watch()
        #expect(try await other.subscribe().0.status == 480)
        #expect(try await other.subscribe(Bench.subscribe(source: Self.elsewhere)).0.status == 200)
    }

    @Test("RFC 6665 4.2.2: a subscriber that is gone costs one NOTIFY", arguments: [(481, false), (408, true)])
    func gone(status: Int, isLocal: Bool) async throws {
        let bench = Self.bench()
        let (_, sent) = try await bench.subscribe()
        await bench.answer(try #require(sent), status, isLocal: isLocal)
        #expect(await bench.focus.notifyCounters.subscriptions == 0)
        #expect(await bench.focus.notifyCounters.subscriptionsFailed == 1)
        _ = try await bench.enter("bob")
        await bench.fireTimers()
        await bench.expectQuiet()
    }

    @Test("Retry-After is waited for")
    func retry() async throws {
        let bench = Self.bench()
        let (_, sent) = try await bench.subscribe()
        await bench.answer(try #require(sent), 503, headers: "Retry-After: 7\r\n")
        #expect(bench.stack.pendingDelays.contains(.seconds(7)))
        bench.clock.advance(by: .seconds(7))
        await bench.fireTimers()
        let again = try await bench.nextSent().document()
        #expect(again.state == .full)
        #expect(again.version == 1)
    }

    @Test("too large for UDP, and no TCP: how many are there, and the subscriber")
    func tooLarge() async throws {
        let bench = Self.bench()
        for name in ["alice", "bob", "carol"] { _ = try await bench.enter(name) }
        let (_, sent) = try await bench.subscribe()
        await bench.answer(try #require(sent), 513, isLocal: true)
        let document = try await bench.nextSent().document()
        #expect(document.version == 1)
        #expect(document.conferenceState?.userCount == 3)
        #expect(document.users?.state == .partial)
        #expect(document.users?.list.map(\.entity) == ["sip:alice@example.org"])
        #expect(await bench.focus.notifyCounters.documentsTooLarge == 1)
    }

    @Test("by configuration every document is a whole one")
    func wholeOnly() async throws {
        let bench = Self.bench { $0.notifying.isFullStateOnly = true }
        try await bench.watch()
        _ = try await bench.enter("bob")
        await bench.fireTimers()
        let document = try await bench.nextSent().document()
        #expect(document.state == .full)
        #expect(document.version == 2)
    }

    @Test("one document for all: five subscribers cost one rendering")
    func shared() async throws {
        let bench = Self.bench()
        for number in 1...5 { try await bench.watch(Bench.subscribe(["Call-ID": "c\(number)"])) }
        #expect(await bench.focus.notifyCounters.documents == 1)
        _ = try await bench.enter("bob")
        await bench.fireTimers()
        var bodies: Set<MessageBody?> = []
        for _ in 1...5 {
            let sent = try await bench.nextSent()
            bodies.insert(sent.body)
            await bench.confirm(sent)
        }
        #expect(bodies.count == 1)
        #expect(await bench.focus.notifyCounters.documents == 2)
        #expect(await bench.focus.notifyCounters.notifies == 10)
    }

    @Test("clients behind NAT are notified where they sent from")
    func route() async throws {
        let bench = Self.bench()
        let transaction = bench.nextTransaction()
        await bench.focus.handle(
            .request(
                transaction, Bench.subscribe(["Contact": "<sip:alice@10.0.0.1:5060>"], source: Self.elsewhere)))
        _ = try await bench.nextAnswer()
        #expect(await bench.next() == .dialogRoute(Dialog(id: transaction.id), Self.elsewhere))
    }

    @Test("the clean stop: deactivated, before the BYEs")
    func shutdown() async throws {
        let bench = Self.bench()
        let (call, _) = try await bench.enter("alice")
        let (dialog, _) = try await bench.watch(Bench.subscribe(["Call-ID": "other"]))
        let focus = bench.focus
        let stopped = Task { await focus.shutdown() }
        let last = try await bench.nextSent()
        #expect(last.dialog == dialog)
        #expect(last.header("Subscription-State") == "terminated;reason=deactivated")
        await bench.confirm(last)
        while true {
            let action = await bench.next()
            if case .hangUp(let ended, _) = action {
                #expect(ended == call)
                break
            }
        }
        await bench.focus.handle(.ended(call, .hungUp))
        await stopped.value
        #expect(try await bench.subscribe().0.status == 503)
    }

    @Test("nothing is left after everybody has gone")
    func nothingLeft() async throws {
        let bench = Bench()
        let (call, member) = try await bench.enter("alice")
        let (dialog, _) = try await bench.watch()
        #expect(await bench.focus.roster.roomCount == 1)
        let (_, notify) = try await bench.subscribe(Bench.subscribe(["Expires": "0"]), within: dialog)
        await bench.confirm(try #require(notify))
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@example.com")))
        await bench.focus.handle(.ended(call, .bye))
        await bench.focus.handle(.left(Bench.snapshot(member, "alice", isMediaActive: false), .departed))
        let desk = await bench.focus.notifyCounters
        #expect(desk.subscriptions == 0)
        #expect(await bench.focus.roster.rooms.isEmpty)
        #expect(await bench.focus.hasTellings == false)
    }
}

extension Focus {
    fileprivate var hasTellings: Bool { !notifying.tellings.isEmpty || !notifying.policies.isEmpty }
}
