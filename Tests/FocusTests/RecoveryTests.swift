import MediaMixer
import Testing

@testable import Focus
@testable import SIP

@Suite("Coming back after the MSRP connection was lost", .timeLimit(.minutes(1)))
struct RecoveryTests {
    private func snapshot(_ member: MemberID, isMediaActive: Bool) -> MemberSnapshot {
        MemberSnapshot(
            id: member, room: Bench.room, uri: "sip:alice@example.org", displayName: "Alice", nickname: nil,
            isJoined: true, isMediaActive: isMediaActive)
    }

    @Test(
        "an offer that changes nothing makes a new session after a loss (RFC 4975 section 5.4)",
        arguments: ["INVITE", "UPDATE"])
    func samePath(method: String) async throws {
        let bench = Bench()
        let (call, member, _) = try await bench.join()
        await bench.focus.handle(.mediaLost(snapshot(member, isMediaActive: false)))
        let offer = Request.make(method, "sip:lobby@192.0.2.1:5060", body: MessageBody(sdp: Offer.plain))
        _ = await bench.offer(call, offer)
        guard case .renegotiate(member, _, newSession: true) = await bench.next() else { throw TestFailure() }
        let answer = try await bench.nextAnswer()
        #expect(answer.status == 200)
        #expect(answer.sdpLine("a=path") == "a=path:msrp://192.0.2.1:2855/m1-1;tcp")

        // Connected again, the same offer is a refresh.
        await bench.focus.handle(.acknowledged(call, nil))
        await bench.focus.handle(.mediaActive(snapshot(member, isMediaActive: true)))
        _ = await bench.offer(call, offer)
        guard case .answer(let refreshed) = await bench.next() else { throw TestFailure() }
        #expect(refreshed.body == answer.body)
    }
}
