import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

@Suite("Joining a room", .timeLimit(.minutes(1)))
struct JoiningTests {
    //  client            focus             mixer
    //    | INVITE          |                 |
    //    |---------------->| reserve         |
    //    |                 |---------------->|
    //    |             200 |                 |
    //    |<----------------|                 |
    //    | ACK             | joined          |
    //    |---------------->|---------------->|
    @Test("the session is made before the 200 leaves, and the ACK joins (RFC 4579 section 5.1)")
    func join() async throws {
        let bench = Bench()
        let transaction = bench.nextTransaction()
        let call = Call(id: 9)
        await bench.focus.handle(.invite(call, transaction, .invite(headers: ["User-Agent": "Blink Qt 5.0"])))
        guard case .reserve(let join) = await bench.next() else { throw TestFailure() }
        #expect(join.userAgent == "Blink Qt 5.0")
        #expect(join.room == Bench.room)
        #expect(join.participant == "sip:alice@example.org")
        #expect(join.displayName == "Alice")
        #expect(join.terms?.address == Bench.room)
        #expect(join.account == "alice@example.org")
        #expect(join.localHost == "192.0.2.1" && join.localPort == 2855)
        #expect(join.signallingSource == "198.51.100.7")
        #expect(join.media.path == "msrp://198.51.100.7:2855/first;tcp")
        #expect(join.media.role == .peerConnects)
        #expect(join.media.format == .cpim)
        #expect(join.media.direction == .sendReceive)
        let answer = try await bench.nextAnswer()
        #expect(answer.transaction == transaction)
        #expect(answer.status == 200)
        #expect(answer.contact == "<sip:lobby@192.0.2.1:5060>;isfocus")
        #expect(answer.sdpLine("a=path") == "a=path:msrp://192.0.2.1:2855/m1;tcp")
        #expect(answer.sdpLine("a=setup") == "a=setup:passive")
        #expect(answer.sdpLine("a=accept-types") == "a=accept-types:message/cpim")
        await bench.expectQuiet()
        await bench.focus.handle(.acknowledged(call, nil))
        #expect(await bench.next() == .joined(MemberID(number: 1)))
        await bench.expectQuiet()
    }

    @Test("RFC 4975 8.6: a=max-size is the room's own limit where that is smaller")
    func maximumSize() async throws {
        for (most, shown) in [(1000, "1000"), (nil, "10485760"), (1 << 40, "10485760")] as [(Int?, String)] {
            let bench = Bench {
                var room = RoomConfiguration(address: Bench.room)
                room.maximumMessageSize = most
                $0.rooms = [room]
            }
            await bench.focus.handle(.invite(Call(id: 9), bench.nextTransaction(), .invite()))
            #expect(try await bench.nextAnswer().sdpLine("a=max-size") == "a=max-size:\(shown)")
        }
    }

    @Test("two devices of one user are two participants")
    func twoDevices() async throws {
        let bench = Bench()
        let (first, one, _) = try await bench.join()
        let (second, two, _) = try await bench.join()
        #expect(first != second && one != two)
        #expect(await bench.focus.dialogCount == 2)
    }

    @Test("two anonymous callers are two participants (RFC 3323 section 4.1.1.3)")
    func anonymous() async throws {
        let bench = Bench()
        var names: [String] = []
        for _ in 0..<2 {
            let transaction = bench.nextTransaction()
            let from = ["From": "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1"]
            await bench.focus.handle(.invite(Call(id: transaction.id), transaction, .invite(headers: from)))
            guard case .reserve(let join) = await bench.next() else { throw TestFailure() }
            names.append(join.participant)
            _ = try await bench.nextAnswer()
        }
        #expect(Set(names).count == 2)
    }

    @Test("the media in an offer over TLS are TLS's (RFC 4975 section 14.1)")
    func tls() async throws {
        let bench = Bench()
        let offer = Offer.make(path: "msrps://198.51.100.7:2855/first;tcp", transport: "TCP/TLS/MSRP")
        let (_, _, answer) = try await bench.invite(.invite(body: MessageBody(sdp: offer)))
        #expect(answer.sdpLine("a=path") == "a=path:msrps://192.0.2.1:2855/m1;tcp")
    }

    @Test("a passive client makes us connect (RFC 6135 section 4.2.1)")
    func passiveClient() async throws {
        let bench = Bench()
        let transaction = bench.nextTransaction()
        await bench.focus.handle(
            .invite(Call(id: 1), transaction, .invite(body: MessageBody(sdp: Offer.make(setup: "passive")))))
        guard case .reserve(let join) = await bench.next() else { throw TestFailure() }
        #expect(join.media.role == .weConnect(host: "198.51.100.7", port: 2855))
    }

    @Test("a multipart body with a description in it joins (RFC 5621 section 3.1)")
    func multipart() async throws {
        let bench = Bench()
        let text = "--b\r\nContent-Type: application/sdp\r\n\r\n\(Offer.plain)\r\n--b--\r\n"
        let body = MessageBody(contentType: "multipart/mixed; boundary=b", content: Array(text.utf8))
        _ = try await bench.join(.invite(body: body))
    }

    // MARK: Without an offer

    @Test("an INVITE without offer gets ours, and joins with the answer in the ACK (RFC 3261 section 13.2.1)")
    func offerless() async throws {
        let bench = Bench()
        let (call, member, answer) = try await bench.invite(.invite(body: nil))
        #expect(answer.sdpLine("a=setup") == "a=setup:actpass")
        #expect(answer.sdpLine("m=message") == "m=message 2855 TCP/MSRP *")
        #expect(answer.sdpLine("a=path") == "a=path:msrp://192.0.2.1:2855/m1;tcp")
        await bench.focus.handle(.acknowledged(call, MessageBody(sdp: Offer.plain)))
        guard case .renegotiate(member, let media, newSession: false) = await bench.next() else { throw TestFailure() }
        #expect(media.path == "msrp://198.51.100.7:2855/first;tcp")
        #expect(media.role == .peerConnects)
        #expect(await bench.next() == .joined(member))
    }

    @Test("our offer is TLS's where signalling is")
    func offerlessTLS() async throws {
        let tls = Endpoint(transport: .tls, host: "192.0.2.1", port: 5061)
        let bench = Bench(listeners: [tls])
        let (_, _, answer) = try await bench.invite(.invite(body: nil, local: tls))
        #expect(answer.sdpLine("m=message") == "m=message 2855 TCP/TLS/MSRP *")
    }

    @Test("no answer in the ACK: BYE (RFC 3261 section 13.2.2.4, RFC 3326 section 3.2)", arguments: [nil, "v=0\r\n"])
    func offerlessUnanswered(answer: String?) async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.invite(.invite(body: nil))
        await bench.focus.handle(.acknowledged(call, answer.map { MessageBody(sdp: $0) }))
        #expect(await bench.next() == .leave(member, .notCompleted))
        guard case .hangUp(call, let reason) = await bench.next() else { throw TestFailure() }
        #expect(reason?.hasPrefix("SIP;cause=488;text=") == true)
        await bench.focus.handle(.ended(call, .hungUp))
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test("a BYE while the answer is being taken leaves nothing behind")
    func offerlessGone() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.invite(.invite(body: nil))
        bench.mixer.hold()
        await bench.focus.handle(.acknowledged(call, MessageBody(sdp: Offer.plain)))
        guard case .renegotiate = await bench.next() else { throw TestFailure() }
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        #expect(await bench.next() == .leave(member, .departed))
        await bench.focus.handle(.ended(call, .bye))
        bench.mixer.refuse(.noSuchMember)
        bench.mixer.goOn()
        await bench.expectQuiet()
        #expect(await bench.focus.dialogCount == 0)
    }

    // MARK: Refusals

    @Test(
        "URIs that lead nowhere (RFC 3261 section 8.2.2.1)",
        arguments: [
            ("sip:lobby@example.net", 404), ("sip:example.com", 404), ("tel:+49123", 416),
            ("nobodyKnowsThisScheme:totallyopaquecontent", 416),
        ])
    func wrongURI(uri: String, status: Int) async throws {
        let bench = Bench()
        #expect(try await bench.refusal(of: .invite(uri)).status == status)
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test(
        "an INVITE without a Contact we could use: 400 (RFC 3261 section 8.1.1.8)",
        arguments: ["", "*", "<tel:+49123>"])
    func noContact(contact: String) async throws {
        let bench = Bench()
        #expect(try await bench.refusal(of: .invite(headers: ["Contact": contact])).status == 400)
    }

    @Test("a body of an unknown type: 415 with Accept (RFC 3261 section 8.2.3)")
    func unsupportedBody() async throws {
        let bench = Bench()
        let answer = try await bench.refusal(
            of: .invite(body: MessageBody(contentType: "application/isup", content: [1])))
        #expect(answer.status == 415)
        #expect(
            answer.header("Accept")
                == "application/sdp, multipart/mixed, multipart/alternative, application/resource-lists+xml")
        let encoded = try await bench.refusal(of: .invite(headers: ["Content-Encoding": "gzip"]))
        #expect(encoded.status == 415)
        #expect(encoded.header("Accept-Encoding") == "identity")
    }

    @Test("no usable m=message: 488 with a Warning (RFC 3261 sections 13.3.1.3 and 20.43)")
    func noMessageMedia() async throws {
        let bench = Bench()
        let answer = try await bench.refusal(of: .invite(body: MessageBody(sdp: Offer.audioOnly)))
        #expect(answer.status == 488)
        let warning = try #require(answer.header("Warning"))
        #expect(warning.contains(" 192.0.2.1:5060 \""))
        #expect((300...399).contains(try #require(Int(warning.prefix(3)))))
    }

    @Test("what is no session description: 400")
    func malformedBody() async throws {
        let bench = Bench()
        #expect(try await bench.refusal(of: .invite(body: MessageBody(sdp: "hello"))).status == 400)
    }

    @Test(
        "the mixer's refusals",
        arguments: [
            (JoinRefusal.noSuchRoom, 404), (.roomIsFull, 486), (.tooManyRooms, 480), (.tooManyMembers, 480),
            (.malformedPath, 488), (.plainTextNotAllowed, 488), (.shuttingDown, 503),
        ])
    func refused(refusal: JoinRefusal, status: Int) async throws {
        let bench = Bench()
        bench.mixer.refuse(refusal)
        let answer = try await bench.refusal(of: .invite())
        #expect(answer.status == status)
        #expect((answer.header("Warning") != nil) == (status == 488))
        #expect((answer.header("Retry-After") != nil) == (status == 480 || status == 486))
        #expect(await bench.focus.dialogCount == 0)
        bench.mixer.refuse(nil)
        _ = try await bench.join()
    }

    @Test("rooms are made on demand only where that is allowed")
    func staticRooms() async throws {
        let bench = Bench { $0.createsRoomsOnDemand = false }
        #expect(try await bench.refusal(of: .invite()).status == 404)
        let another = Bench {
            $0.createsRoomsOnDemand = false
            $0.rooms = [RoomConfiguration(address: Bench.room)]
        }
        _ = try await another.join()
    }

    // MARK: Limits

    @Test("limit participants: 480, until one leaves (RFC 3261 section 21.4.18)")
    func participants() async throws {
        let bench = Bench { $0.limits.participants = 1 }
        let (call, member, _) = try await bench.join()
        let answer = try await bench.refusal(of: .invite())
        #expect(answer.status == 480)
        #expect((0...10).contains(try #require(answer.header("Retry-After").flatMap { Int($0) })))
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        #expect(await bench.next() == .leave(member, .departed))
        _ = try await bench.join()
    }

    @Test("limit dialogs: 480 until the stack has forgotten one")
    func dialogs() async throws {
        let bench = Bench { $0.limits.dialogs = 1 }
        let (call, _, _) = try await bench.join()
        await bench.focus.handle(.bye(call, .make("BYE", "sip:lobby@192.0.2.1")))
        _ = await bench.next()
        #expect(try await bench.refusal(of: .invite()).status == 480)
        await bench.focus.handle(.ended(call, .bye))
        _ = try await bench.join()
    }

    @Test("limit pendingInvites: 480 until the mixer has answered")
    func pendingInvites() async throws {
        let bench = Bench { $0.limits.pendingInvites = 1 }
        bench.mixer.hold()
        await bench.focus.handle(.invite(Call(id: 1), bench.nextTransaction(), .invite()))
        #expect(try await bench.refusal(of: .invite()).status == 480)
        bench.mixer.goOn()
        #expect(try await bench.nextAnswer().status == 200)
        _ = try await bench.join()
    }
}
