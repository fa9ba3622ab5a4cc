import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@testable import MediaMixer

@Suite("Answers are gathered while a room is busy", .serialized)
struct AnswerGatheringTests {
    private func busy(_ gathering: inout AnswerGathering) {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        _ = gathering.passed(AnswerGathering.messagesOfABusyRoom, now: { start })
        let isBusy = gathering.passed(AnswerGathering.messagesOfABusyRoom, now: { start + .milliseconds(100) })
        #expect(isBusy)
    }

    private func expect(_ turn: AnswerGathering.Turn, _ expected: AnswerGathering.Turn) { #expect(turn == expected) }

    @Test("a room is busy when many messages come in little time, and not before")
    func becomesBusy() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
        var gathering = AnswerGathering()
        var time = start
        // 100 messages a second
        for _ in 0..<1000 {
            time = time + .milliseconds(10)
            if gathering.passed(1, now: { time }) { Issue.record("busy at \(time)") }
        }
        #expect(!gathering.isOn)
        // 500 a second
        var passed = 0
        while passed < 1000 {
            time = time + .milliseconds(2)
            passed += 1
            if gathering.passed(1, now: { time }) { break }
        }
        #expect(gathering.isOn)
        #expect(passed <= 2 * AnswerGathering.messagesOfABusyRoom)
        // It is said once.
        let isSaidAgain = gathering.passed(1000, now: { time })
        #expect(!isSaidAgain)
    }

    @Test("in forty milliseconds it is everybody's turn once", arguments: [1, 2, 7, 8, 9, 100, 501])
    func everybody(members: Int) {
        var gathering = AnswerGathering()
        busy(&gathering)
        for _ in 0..<3 {
            var turns = Array(repeating: 0, count: members)
            for _ in 0..<AnswerGathering.mostRounds {
                _ = gathering.passed(1)
                guard case .members(let first, let count) = gathering.roundPassed(members: members) else {
                    Issue.record("it ended")
                    return
                }
                for offset in 0..<count { turns[(first + offset) % members] += 1 }
            }
            #expect(turns.allSatisfy { $0 >= 1 })
        }
    }

    @Test("the more is said, the more have their turn, up to all of them")
    func more() {
        var gathering = AnswerGathering()
        busy(&gathering)
        _ = gathering.roundPassed(members: 64)
        _ = gathering.passed(32)
        expect(gathering.roundPassed(members: 64), .members(first: 8, count: 32))
        _ = gathering.passed(6400)
        expect(gathering.roundPassed(members: 64), .members(first: 40, count: 64))
        expect(gathering.roundPassed(members: 64), .members(first: 40, count: 8))
        // People have left meanwhile.
        expect(gathering.roundPassed(members: 10), .members(first: 0, count: 2))
        expect(gathering.roundPassed(members: 0), .end)
        #expect(!gathering.isOn)
    }

    @Test("after 200 milliseconds of quiet it ends")
    func quiet() {
        var gathering = AnswerGathering()
        busy(&gathering)
        var rounds = 0
        while gathering.roundPassed(members: 5) != .end { rounds += 1 }
        #expect(rounds == AnswerGathering.roundsOfQuiet - 1)
        #expect(!gathering.isOn)
        let isBusy = gathering.passed(AnswerGathering.messagesOfABusyRoom)
        #expect(!isBusy)
    }

    /// Until answers are read together, at the pace of the machine that the test runs on.
    private func makeBusy(_ fixture: MixerFixture, _ talker: TestParticipant, _ listeners: [TestParticipant])
        async throws
    {
        let before = await fixture.transport.counters().gatheredReads
        let deadline = Deadline.after(seconds: 20)
        while await fixture.transport.counters().gatheredReads < before + 4 {
            if deadline.passed { throw SupportError("answers were never gathered") }
            let ids = try (0..<16).map { try talker.msrp.post(talker.cpim("\($0)")) }
            for id in ids { #expect(try talker.msrp.response(to: id).status == 200) }
            for listener in listeners { for number in 0..<16 { #expect(try listener.hears() == "\(number)") } }
        }
    }

    @Test("a listener's first words are heard, in a busy room and after it")
    func firstWords() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        try await makeBusy(fixture, alice, [bob, carol])
        #expect(try bob.say("me too") == 200)
        #expect(try alice.hears() == "me too")
        #expect(try carol.hears() == "me too")
        // He is a talker now, and is answered at once; she still listens.
        try await makeBusy(fixture, alice, [bob, carol])
        #expect(try bob.say("still here") == 200)
        #expect(try alice.hears() == "still here")
        #expect(try carol.hears() == "still here")
        // All her answers are read in the end, without a further message.
        try await fixture.until {
            await fixture.mixer.perform(member: carol.member) { $0.member(carol.member)?.session.outstanding } == 0
        }
        #expect(try carol.say("good night") == 200)
        #expect(try alice.hears() == "good night")
        try await fixture.end()
    }

    @Test("a listener that vanishes from a busy room is missed at once, and one that leaves it is gone")
    func vanishes() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let carol = try await fixture.join("carol")
        try await makeBusy(fixture, alice, [bob, carol])
        bob.msrp.stream.reset()
        try await fixture.until { fixture.events.last == "bob lost" }
        await fixture.mixer.leave(carol.member, reason: .departed)
        #expect(try alice.say("nobody here?") == 200)
        try await fixture.end()
    }
}
