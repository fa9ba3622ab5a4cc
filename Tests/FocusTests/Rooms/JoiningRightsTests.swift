import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

@Suite("Who gets into a room", .timeLimit(.minutes(1)))
struct JoiningRightsTests {
    private func bench(_ body: @escaping (inout RoomConfiguration, inout RoomCondition) -> Void) -> Bench {
        var room = RoomConfiguration(address: Bench.room)
        var condition = RoomCondition()
        body(&room, &condition)
        return Bench {
            $0.rooms = [room]
            $0.conditions = [room.address: condition]
        }
    }

    @Test("bans, locks and lists: 403, and the mixer is not asked (RFC 4579 section 5.1)")
    func forbidden() async throws {
        let benches = [
            bench { $1.bans = [.init(account: "alice@example.org")] },
            bench { $1.isLocked = true },
            bench { room, _ in room.join = .domain },
            bench { room, _ in room.join = .listed },
        ]
        for bench in benches {
            #expect(try await bench.refusal(of: .invite()).status == 403)
            #expect(bench.mixer.lastMember == 0)
            #expect(await bench.focus.dialogCount == 0)
            #expect(await bench.focus.roomList().map(\.participants) == [0])
        }
    }

    @Test("who may not come in reads why in a Warning (RFC 3261 section 20.43)")
    func reasons() async throws {
        let cases = [
            (
                bench { $1.bans = [.init(account: "alice@example.org", reason: "a \"bot\"\r\n")] },
                "banned: a \\\"bot\\\""
            ),
            (bench { $1.isLocked = true }, "the room is locked"),
            (bench { room, _ in room.join = .listed }, "may not join"),
        ]
        for (bench, text) in cases {
            let answer = try await bench.refusal(of: .invite())
            #expect(answer.status == 403)
            #expect(answer.header("Warning") == "399 192.0.2.1:5060 \"\(text)\"")
        }
        let named = bench { room, _ in room.allowsAnonymous = false }
        let anonymous = ["From": "<sip:anonymous@anonymous.invalid>;tag=1"]
        let answer = try await named.refusal(of: .invite(headers: anonymous))
        #expect(answer.header("Warning")?.hasSuffix("\"the room wants to know who comes in\"") == true)
    }

    @Test("a full room: 486 with Retry-After; text/plain where it isn't wanted: 488 with a Warning")
    func refused() async throws {
        let full = bench { room, _ in room.maximumMembers = 0 }
        let answer = try await full.refusal(of: .invite())
        #expect(answer.status == 486 && answer.header("Retry-After") != nil)
        let strict = bench { room, _ in room.allowsPlainText = false }
        let plain = MessageBody(sdp: Offer.make(accept: "text/plain"))
        let refusal = try await strict.refusal(of: .invite(body: plain))
        #expect(refusal.status == 488 && refusal.header("Warning")?.hasPrefix("305 ") == true)
        _ = try await strict.join()
    }

    @Test("who is in a locked room brings a second device along")
    func secondDevice() async throws {
        let bench = Bench()
        _ = try await bench.join()
        try await bench.focus.lock(Bench.room, true)
        #expect(try await bench.refusal(of: .invite(from: "bob")).status == 403)
        _ = try await bench.join()
        #expect(await bench.focus.roomList().map(\.participants) == [2])
    }

    @Test("a body that can't be read is told before the room is looked at, and after the URI (RFC 3261 section 8.2)")
    func order() async throws {
        let bench = bench { $1.isLocked = true }
        let isup = MessageBody(contentType: "application/isup", content: [1])
        #expect(try await bench.refusal(of: .invite("sip:lobby@example.net", body: isup)).status == 404)
        #expect(try await bench.refusal(of: .invite(body: isup)).status == 415)
        #expect(try await bench.refusal(of: .invite()).status == 403)
    }

    @Test("the answer promises what the room has: private messages, nicknames (RFC 7701 section 8)")
    func chatroom() async throws {
        for isAllowed in [true, false] {
            var room = RoomConfiguration(address: Bench.room)
            room.allowsPrivateMessages = isAllowed
            let bench = Bench {
                $0.rooms = [room]
                $0.media.chatroom = ChatroomCapabilities(nicknames: true, privateMessages: true)
            }
            let (_, _, answer) = try await bench.invite()
            let expected = isAllowed ? "a=chatroom:nickname private-messages" : "a=chatroom:nickname"
            #expect(answer.sdpLine("a=chatroom") == expected)
        }
    }

    @Test("what the mixer gets: the account, and the room as it is")
    func reservation() async throws {
        let bench = bench { room, condition in
            room.title = "Lobby"
            condition.subject = "tea"
        }
        await bench.focus.handle(.invite(Call(id: 1), bench.nextTransaction(), .invite()))
        guard case .reserve(let join) = await bench.next() else { throw TestFailure() }
        #expect(join.account == "alice@example.org")
        #expect(join.terms?.configuration.title == "Lobby")
        #expect(join.terms?.condition.subject == "tea")
    }
}

@Suite("Join and Replaces", .timeLimit(.minutes(1)))
struct ReplacingTests {
    private let replaces = ["Replaces": "call@client;to-tag=t1;from-tag=a1"]

    private func joined() async throws -> (Bench, Call, MemberID) {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        bench.stack.know(call, callID: "call@client", localTag: "t1", remoteTag: "a1")
        return (bench, call, member)
    }

    private func event(_ member: MemberID) -> MemberSnapshot {
        MemberSnapshot(
            id: member, room: Bench.room, uri: "sip:alice@example.org", displayName: nil, nickname: nil,
            isJoined: true, isMediaActive: false)
    }

    //  device 1          focus             device 2
    //    |                 |   INVITE (Replaces)
    //    |                 |<----------------|
    //    |                 |       200 / ACK |
    //    | BYE             |<--------------->|
    //    |<----------------|                 |
    @Test("a user moves to another device without leaving (RFC 3891 section 3, RFC 4579 section 5.9)")
    func move() async throws {
        let (bench, old, member) = try await joined()
        await bench.focus.handle(.joined(event(member)))
        await bench.focus.handle(.invite(Call(id: 50), bench.nextTransaction(), .invite(headers: replaces)))
        guard case .reserve(let join) = await bench.next() else { throw TestFailure() }
        #expect(join.replaced == member)
        #expect(try await bench.nextAnswer().status == 200)
        await bench.expectQuiet()
        let new = MemberID(number: bench.mixer.lastMember)
        await bench.focus.handle(.acknowledged(Call(id: 50), nil))
        #expect(await bench.next() == .joined(new))
        #expect(await bench.next() == .leave(member, .replaced))
        guard case .hangUp(old, let reason) = await bench.next() else { throw TestFailure() }
        #expect(reason?.hasPrefix("SIP;cause=200;") == true)
        // Others saw nobody leave.
        #expect(await bench.focus.participants(of: Bench.room).map(\.uri) == ["sip:alice@example.org"])
        await bench.focus.handle(.left(event(member), .replaced))
        await bench.focus.handle(.joined(event(new)))
        #expect(await bench.focus.participants(of: Bench.room).map(\.uri) == ["sip:alice@example.org"])
        await bench.focus.handle(.ended(old, .hungUp))
        #expect(await bench.focus.roomList().map(\.participants) == [1])
    }

    @Test("the place of somebody in a full room is free for the same user")
    func full() async throws {
        let bench = Bench { $0.adhoc.maximumMembers = 1 }
        let (call, _, _) = try await bench.join()
        bench.stack.know(call, callID: "call@client", localTag: "t1", remoteTag: "a1")
        #expect(try await bench.refusal(of: .invite()).status == 486)
        _ = try await bench.invite(.invite(headers: replaces))
    }

    @Test("the new dialog without an ACK leaves the old one as it was")
    func unacknowledged() async throws {
        let (bench, _, _) = try await joined()
        let (call, member, _) = try await bench.invite(.invite(headers: replaces))
        await bench.focus.handle(.ended(call, .unacknowledged))
        #expect(await bench.next() == .leave(member, .notCompleted))
        #expect(await bench.focus.roomList().map(\.participants) == [1])
        await bench.expectQuiet()
    }

    @Test(
        "what is not replaced or joined (RFC 3891 section 3, RFC 3911 section 4)",
        arguments: [
            (["Replaces": "other@client;to-tag=t1;from-tag=a1"], 481),
            (["Replaces": "call@client;to-tag=a1;from-tag=t1"], 481),
            (["Replaces": "call@client"], 400),
            (["Replaces": "call@client;to-tag=t1;from-tag=a1;early-only"], 486),
            (["Replaces": "call@client;to-tag=t1;from-tag=a1", "From": "<sip:bob@example.org>;tag=b"], 403),
            (["Join": "other@client;to-tag=t1;from-tag=a1"], 481),
            (["Join": "call@client;to-tag=t1;from-tag=a1", "From": "<sip:bob@example.org>;tag=b"], 403),
            (
                [
                    "Join": "call@client;to-tag=t1;from-tag=a1",
                    "Replaces": "call@client;to-tag=t1;from-tag=a1",
                ], 400
            ),
        ])
    func refused(headers: [String: String], status: Int) async throws {
        let (bench, _, _) = try await joined()
        #expect(try await bench.refusal(of: .invite(headers: headers)).status == status)
        #expect(await bench.focus.dialogCount == 1)
    }

    @Test("a dialog of another room is none of this one's: 481")
    func otherRoom() async throws {
        let (bench, _, _) = try await joined()
        #expect(try await bench.refusal(of: .invite("sip:other@example.com", headers: replaces)).status == 481)
        #expect(await bench.focus.roomList().count == 1)
    }

    @Test("a second dialog joins the conversation of the first (RFC 3911, RFC 4579 section 5.8)")
    func join() async throws {
        let (bench, _, _) = try await joined()
        _ = try await bench.join(.invite(headers: ["Join": "call@client;to-tag=t1;from-tag=a1"]))
        #expect(await bench.focus.roomList().map(\.participants) == [2])
        await bench.expectQuiet()
    }
}
