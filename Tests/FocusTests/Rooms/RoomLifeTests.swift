import MediaMixer
import Testing

@testable import Focus
@testable import SIP

extension Request {
    /// An INVITE of somebody at example.org.
    static func invite(
        from user: String, to uri: String = "sip:lobby@example.com", headers: [String: String] = [:],
        body: MessageBody? = MessageBody(sdp: Offer.plain)
    ) -> Request {
        let own = [
            "From": "<sip:\(user)@example.org>;tag=\(user)", "Contact": "<sip:\(user)@198.51.100.7:5060>",
            "Call-ID": "\(user)@client",
        ]
        return invite(uri, headers: own.merging(headers) { $1 }, body: body)
    }
}

@Suite("How rooms come and go", .timeLimit(.minutes(1)))
struct RoomLifeTests {
    private let bye = Request.make("BYE", "sip:lobby@192.0.2.1:5060")

    private func leave(_ bench: Bench, _ call: Call, _ member: MemberID) async {
        await bench.focus.handle(.bye(call, bye))
        #expect(await bench.next() == .leave(member, .departed))
        await bench.focus.handle(.ended(call, .bye))
    }

    // MARK: Made on demand

    @Test("the first INVITE makes the room, whose maker owns it, and the last BYE ends it (RFC 4579 section 5.2)")
    func onDemand() async throws {
        let store = MemoryRooms()
        let bench = Bench(store: store)
        let (call, member, _) = try await bench.join()
        let details = try #require(await bench.focus.roomDetails(Bench.room))
        #expect(details.kind == .adhoc && details.maker == "alice@example.org")
        #expect(details.participants.map(\.role) == [.owner])
        #expect(bench.mixer.terms(of: Bench.room) != nil)
        await bench.focus.keeper?.settle()
        let document = try #require(store.document(Bench.room))
        #expect(String(decoding: document.content, as: UTF8.self).contains("allow"))
        #expect(store.stored(Bench.room) == nil)

        await leave(bench, call, member)
        #expect(await bench.focus.roomList().isEmpty)
        #expect(bench.mixer.terms(of: Bench.room) == nil)
        await bench.focus.keeper?.settle()
        #expect(store.document(Bench.room) == nil)
    }

    @Test("a room that was left stays for the grace time, and who comes back finds it as it was")
    func grace() async throws {
        let bench = Bench { $0.adhocGrace = .seconds(7) }
        let (call, member, _) = try await bench.join()
        try await bench.focus.setSubject("tea", in: Bench.room)
        await leave(bench, call, member)
        #expect(await bench.focus.roomDetails(Bench.room)?.condition.subject == "tea")
        let (second, other, _) = try await bench.join(.invite(from: "bob"))
        await bench.stack.fireTimer(on: bench.focus, after: .seconds(7))
        let details = try #require(await bench.focus.roomDetails(Bench.room))
        #expect(details.maker == "alice@example.org" && details.condition.subject == "tea")
        await leave(bench, second, other)
        await bench.stack.fireTimer(on: bench.focus, after: .seconds(7))
        #expect(await bench.focus.roomList().isEmpty)
    }

    @Test("an INVITE that comes to nothing leaves no room", arguments: [true, false])
    func nothing(isRefused: Bool) async throws {
        let bench = Bench { $0.adhocGrace = .seconds(7) }
        bench.mixer.hold()
        if isRefused { bench.mixer.refuse(.tooManyMembers) }
        let transaction = bench.nextTransaction()
        let call = Call(id: 5)
        await bench.focus.handle(.invite(call, transaction, .invite()))
        guard case .reserve = await bench.next() else { throw TestFailure() }
        #expect(await bench.focus.roomList().count == 1)
        if !isRefused {
            await bench.focus.handle(.cancelled(call, transaction))
            await bench.focus.handle(.ended(call, .cancelled))
        }
        bench.mixer.goOn()
        _ = await bench.next()
        #expect(await bench.focus.roomList().isEmpty)
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test("who may make rooms")
    func creators() async throws {
        let bench = Bench {
            $0.mayCreate = .listed
            $0.creators = ["*@example.net", "bob@example.org"]
        }
        #expect(try await bench.refusal(of: .invite()).status == 403)
        #expect(try await bench.refusal(of: .invite("sip:conference@example.com")).status == 403)
        _ = try await bench.join(.invite(from: "bob"))
        _ = try await bench.join()
    }

    @Test("limit rooms: 480")
    func limit() async throws {
        let bench = Bench { $0.limits.rooms = 1 }
        _ = try await bench.join()
        #expect(try await bench.refusal(of: .invite("sip:other@example.com")).status == 480)
        _ = try await bench.join(.invite(from: "bob"))
    }

    @Test("what rooms made on demand are like is configured")
    func pattern() async throws {
        let bench = Bench {
            $0.adhoc.maximumMembers = 1
            $0.adhoc.dialOut = .invite
        }
        _ = try await bench.join()
        #expect(await bench.focus.roomDetails(Bench.room)?.configuration.dialOut == .invite)
        #expect(try await bench.refusal(of: .invite(from: "bob")).status == 486)
    }

    // MARK: The conference factory

    @Test("an INVITE to the factory gets a room of its own, named by the Contact (RFC 4579 section 5.4)")
    func factory() async throws {
        let bench = Bench { $0.createsRoomsOnDemand = false }
        let (_, _, first) = try await bench.join(.invite("sip:conference@example.com"))
        let (_, _, second) = try await bench.join(.invite(from: "bob", to: "sip:conference@example.com"))
        #expect(first.contact != second.contact)
        #expect(first.contact?.hasPrefix("<sip:conference-") == true)
        #expect(first.contact?.hasSuffix("@192.0.2.1:5060>;isfocus") == true)
        let rooms = await bench.focus.roomList()
        #expect(rooms.map(\.kind) == [.factory, .factory])
        #expect(rooms.map(\.participants) == [1, 1])
        // By that name it is joined by others.
        let contact = try #require(first.contact?.split(separator: "@").first?.dropFirst(5))
        _ = try await bench.join(.invite(from: "carol", to: "sip:\(contact)@example.com"))
        #expect(await bench.focus.roomList().count == 2)
    }

    @Test("in a factory's room messages may be to the name that was called")
    func calledName() async throws {
        let bench = Bench()
        await bench.focus.handle(
            .invite(Call(id: 1), bench.nextTransaction(), .invite("sip:conference@example.com")))
        guard case .reserve(let join) = await bench.next() else { throw TestFailure() }
        #expect(join.calledName == "conference")
        #expect(join.room.user.hasPrefix("conference-") && join.terms?.address == join.room)
    }

    @Test("a static room with the factory's name is that room; without a name there is no factory")
    func factoryName() async throws {
        let address = RoomAddress(user: "conference", domain: "example.com")
        let bench = Bench { $0.rooms = [RoomConfiguration(address: address)] }
        _ = try await bench.join(.invite("sip:conference@example.com"))
        #expect(await bench.focus.roomList().map(\.address) == [address])
        let without = Bench {
            $0.factoryName = nil
            $0.createsRoomsOnDemand = false
        }
        #expect(try await without.refusal(of: .invite("sip:conference@example.com")).status == 404)
    }

    // MARK: The end

    //  alice (owner)     focus             bob
    //    | BYE             |                 |
    //    |---------------->| BYE (Reason)    |
    //    |                 |---------------->|
    @Test("a conference ends when its owner leaves, where that is asked for (RFC 4579 section 5.12)")
    func ownerLeaves() async throws {
        let bench = Bench { $0.adhoc.ends = .ownerLeaves }
        let (alice, member, _) = try await bench.join()
        let (bob, other, _) = try await bench.join(.invite(from: "bob"))
        await bench.focus.handle(.bye(alice, bye))
        #expect(await bench.next() == .leave(member, .departed))
        #expect(await bench.next() == .leave(other, .removed))
        #expect(
            await bench.next() == .hangUp(bob, reason: "SIP;cause=410;text=\"The conference has ended\""))
        #expect(await bench.focus.roomList().isEmpty)
        await bench.focus.handle(.ended(bob, .hungUp))
        await bench.focus.handle(.ended(alice, .bye))
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test("it goes on while its owner is there with another device, or has handed it over")
    func ownersLeft() async throws {
        let bench = Bench { $0.adhoc.ends = .ownerLeaves }
        let (first, one, _) = try await bench.join()
        let (second, two, _) = try await bench.join()
        _ = try await bench.join(.invite(from: "bob"))
        await leave(bench, first, one)
        #expect(await bench.focus.roomList().map(\.participants) == [2])
        try await bench.focus.setRole(.owner, of: "bob@example.org", in: Bench.room)
        await leave(bench, second, two)
        #expect(await bench.focus.roomList().map(\.participants) == [1])
    }

    @Test("a room that ends while somebody comes in is gone afterwards, for the mixer too")
    func endsMeanwhile() async throws {
        let bench = Bench()
        bench.mixer.hold()
        let transaction = bench.nextTransaction()
        let call = Call(id: 5)
        await bench.focus.handle(.invite(call, transaction, .invite()))
        guard case .reserve = await bench.next() else { throw TestFailure() }
        #expect(try await bench.focus.closeRoom(Bench.room) == 1)
        guard case .hangUp(call, _) = await bench.next() else { throw TestFailure() }
        await bench.focus.handle(.ended(call, .rejected(status: 480)))
        bench.mixer.goOn()
        #expect(await bench.next() == .leave(MemberID(number: 1), .notCompleted))
        await bench.expectQuiet()
        #expect(bench.mixer.terms(of: Bench.room) == nil)
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test("a static room stays when everybody has left")
    func staticRoom() async throws {
        let bench = Bench { $0.rooms = [RoomConfiguration(address: Bench.room, title: "Lobby")] }
        let (call, member, _) = try await bench.join()
        await leave(bench, call, member)
        #expect(await bench.focus.roomList().map(\.title) == ["Lobby"])
        #expect(bench.mixer.terms(of: Bench.room)?.title == "Lobby")
        // Its first caller owns nothing.
        _ = try await bench.join()
        #expect(await bench.focus.roomDetails(Bench.room)?.participants.map(\.role) == [.participant])
    }

    @Test("shutting down ends no room: subscribers hear of the server's end, not of the rooms'")
    func shutdown() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        let focus = bench.focus
        async let ended: Void = focus.shutdown()
        #expect(await bench.next() == .leave(member, .shutdown))
        guard case .hangUp = await bench.next() else { throw TestFailure() }
        #expect(await bench.focus.roomList().count == 1)
        await bench.focus.handle(.ended(call, .hungUp))
        await ended
    }
}
