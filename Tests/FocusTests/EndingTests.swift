import MediaMixer
import Testing

@testable import Focus
@testable import SIP

@Suite("Leaving a room", .timeLimit(.minutes(1)))
struct EndingTests {
    private let bye = Request.make("BYE", "sip:lobby@192.0.2.1:5060")

    private func snapshot(_ member: MemberID) -> MemberSnapshot {
        MemberSnapshot(
            id: member, room: Bench.room, uri: "sip:alice@example.org", displayName: nil, nickname: nil, isJoined: true,
            isMediaActive: false)
    }

    @Test("BYE takes the participant out, once (RFC 3261 section 15.1.2)")
    func peerHangsUp() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        await bench.focus.handle(.bye(call, bye))
        #expect(await bench.next() == .leave(member, .departed))
        await bench.focus.handle(.ended(call, .bye))
        #expect(await bench.focus.dialogCount == 0)
        await bench.expectQuiet()
    }

    //  client            focus             mixer
    //    | INVITE          | reserve         |
    //    |---------------->|---------------->|
    //    | CANCEL          |                 |
    //    |---------------->|     reservation |
    //    |                 |<----------------|
    //    |                 | leave           |
    //    |                 |---------------->|
    @Test("a CANCEL while the session is being made gives it back (RFC 3261 section 9.2)")
    func cancelled() async throws {
        let bench = Bench()
        bench.mixer.hold()
        let transaction = bench.nextTransaction()
        let call = Call(id: 5)
        await bench.focus.handle(.invite(call, transaction, .invite()))
        guard case .reserve = await bench.next() else { throw TestFailure() }
        await bench.focus.handle(.cancelled(call, transaction))
        await bench.focus.handle(.ended(call, .cancelled))
        #expect(await bench.focus.dialogCount == 1)
        bench.mixer.goOn()
        #expect(await bench.next() == .leave(MemberID(number: 1), .notCompleted))
        #expect(await bench.focus.dialogCount == 0)
        await bench.expectQuiet()
    }

    @Test("a CANCEL while the mixer is about to refuse is answered by the stack alone")
    func cancelledAndRefused() async throws {
        let bench = Bench()
        bench.mixer.hold()
        bench.mixer.refuse(.roomIsFull)
        let transaction = bench.nextTransaction()
        let call = Call(id: 5)
        await bench.focus.handle(.invite(call, transaction, .invite()))
        guard case .reserve = await bench.next() else { throw TestFailure() }
        await bench.focus.handle(.cancelled(call, transaction))
        await bench.focus.handle(.ended(call, .cancelled))
        bench.mixer.goOn()
        await bench.expectQuiet()
    }

    @Test(
        "without an ACK the participant is out after ack_timeout, and BYE is up to the stack (RFC 3261 sections 13.3.1.4 and 15)"
    )
    func noAcknowledgement() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.invite()
        #expect(bench.stack.pendingDelays == [.seconds(5)])
        bench.clock.advance(by: .seconds(5))
        await bench.stack.fireTimer(on: bench.focus)
        #expect(await bench.next() == .leave(member, .notCompleted))
        #expect(await bench.next() == .hangUp(call, reason: "SIP;cause=408;text=\"No ACK\""))
        await bench.focus.handle(.acknowledged(call, nil))
        await bench.expectQuiet()
        await bench.focus.handle(.ended(call, .unacknowledged))
        #expect(await bench.focus.dialogCount == 0)
        await bench.expectQuiet()
    }

    @Test("one timer watches all ACKs, and who sent one in time stays")
    func manyAcknowledgements() async throws {
        let bench = Bench()
        _ = try await bench.join()
        bench.clock.advance(by: .seconds(2))
        let (late, member, _) = try await bench.invite()
        #expect(bench.stack.pendingDelays == [.seconds(5)])
        bench.clock.advance(by: .seconds(3))
        await bench.stack.fireTimer(on: bench.focus)
        await bench.expectQuiet()
        #expect(bench.stack.pendingDelays == [.seconds(2)])
        bench.clock.advance(by: .seconds(2))
        await bench.stack.fireTimer(on: bench.focus)
        #expect(await bench.next() == .leave(member, .notCompleted))
        guard case .hangUp(late, _) = await bench.next() else { throw TestFailure() }
    }

    @Test("the stack's word that no ACK came ends the participant too (RFC 3261 section 13.3.1.4)")
    func unacknowledged() async throws {
        let bench = Bench { $0.acknowledgementTimeout = .seconds(60) }
        let (call, member, _) = try await bench.invite()
        await bench.focus.handle(.ended(call, .unacknowledged))
        #expect(await bench.next() == .leave(member, .notCompleted))
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test("an expired session takes the participant out (RFC 4028 section 10)")
    func sessionExpired() async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        await bench.focus.handle(.ended(call, .sessionExpired))
        #expect(await bench.next() == .leave(member, .departed))
    }

    @Test(
        "when the mixer gives a participant up, BYE says why (RFC 3326 section 2)",
        arguments: [
            (EndCause.graceExpired, 408), (.fingerprintMismatch, 488), (.connectFailed, 480), (.bindRefused, 480),
            (.neverConnected, 408),
        ])
    func mediaEnded(cause: EndCause, code: Int) async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        await bench.focus.handle(MemberEvent.ended(snapshot(member), cause))
        guard case .hangUp(call, let reason?) = await bench.next() else { throw TestFailure() }
        #expect(reason.hasPrefix("SIP;cause=\(code);text=\""))
        #expect(reason.hasSuffix("\""))
        await bench.focus.handle(.ended(call, .hungUp))
        await bench.expectQuiet()
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test("a session that ended before the focus heard of it is refused, not accepted")
    func endedEarly() async throws {
        let bench = Bench()
        bench.mixer.hold()
        await bench.focus.handle(.invite(Call(id: 5), bench.nextTransaction(), .invite()))
        guard case .reserve = await bench.next() else { throw TestFailure() }
        await bench.focus.handle(MemberEvent.ended(snapshot(MemberID(number: 1)), .connectFailed))
        bench.mixer.goOn()
        #expect(try await bench.nextAnswer().status == 480)
        #expect(await bench.focus.dialogCount == 0)
    }

    @Test("the roster follows the mixer")
    func roster() async throws {
        let bench = Bench()
        let (_, member, _) = try await bench.join()
        await bench.focus.handle(MemberEvent.joined(snapshot(member)))
        #expect(await bench.focus.participants(of: Bench.room).map(\.uri) == ["sip:alice@example.org"])
        await bench.focus.handle(MemberEvent.left(snapshot(member), .departed))
        #expect(await bench.focus.participants(of: Bench.room).isEmpty)
    }

    // MARK: Shutdown

    @Test("shutdown sends BYE to everybody and waits for the last (RFC 3261 section 15.1.1)")
    func shutdown() async throws {
        let bench = Bench()
        let (first, one, _) = try await bench.join()
        let (second, two, _) = try await bench.join()
        let focus = bench.focus
        async let done: Void = focus.shutdown()
        var left: Set<MemberID> = []
        var hungUp: Set<Call> = []
        for _ in 0..<4 {
            switch await bench.next() {
            case .leave(let member, .shutdown): left.insert(member)
            case .hangUp(let call, let reason):
                #expect(reason?.hasPrefix("SIP;cause=503") == true)
                hungUp.insert(call)
            case let other: Issue.record("unexpected: \(other)")
            }
        }
        #expect(left == [one, two] && hungUp == [first, second])
        #expect(try await bench.refusal(of: .invite()).status == 503)
        await bench.focus.handle(.ended(first, .hungUp))
        await bench.focus.handle(.ended(second, .hungUp))
        await done
    }

    @Test("shutdown refuses an INVITE the mixer is asked about, and gives its session back")
    func shutdownWhileJoining() async throws {
        let bench = Bench()
        bench.mixer.hold()
        let call = Call(id: 5)
        await bench.focus.handle(.invite(call, bench.nextTransaction(), .invite()))
        guard case .reserve = await bench.next() else { throw TestFailure() }
        let focus = bench.focus
        async let done: Void = focus.shutdown()
        guard case .hangUp(call, _) = await bench.next() else { throw TestFailure() }
        await bench.focus.handle(.ended(call, .rejected(status: 480)))
        bench.mixer.goOn()
        #expect(await bench.next() == .leave(MemberID(number: 1), .notCompleted))
        await done
    }

    @Test("shutdown waits no longer than its limit")
    func shutdownLimit() async throws {
        let bench = Bench()
        let (_, _, _) = try await bench.join()
        let focus = bench.focus
        async let done: Void = focus.shutdown()
        guard case .leave = await bench.next(), case .hangUp = await bench.next() else { throw TestFailure() }
        await bench.expectQuiet()
        bench.clock.advance(by: .seconds(5))
        #expect(bench.stack.pendingDelays == [.seconds(5), .seconds(5)])  // the watch for ACKs, and shutdown
        await bench.stack.fireTimer(on: bench.focus)
        await bench.stack.fireTimer(on: bench.focus)
        await done
    }
}
