import Dispatch
import MSRPTransport
import MediaMixer
import NIOCore
import Support
import Testing

@Suite("Receivers that stall, and calls that come back", .serialized)
struct CongestionTests {
    @Test("a stalled receiver is bounded, closed, and not felt by the others")
    func stalled() async throws {
        var configuration = MixerConfiguration()
        configuration.maximumMessageSize = 100_000
        configuration.memberQueueBytes = 1_000_000
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let stalled = try await fixture.join("stalled")
        let text = String(repeating: "x", count: 50_000)
        // Far more than the sockets between take.
        for number in 1...400 {
            #expect(try alice.say("\(number) \(text)") == 200)
            #expect(try bob.hears() == "\(number) \(text)")
            if fixture.events.last == "stalled lost" { break }
        }
        try await fixture.until { fixture.events.last == "stalled lost" }
        let counters = await fixture.mixer.counters()
        #expect(counters.slowMembersRemoved == 1)
        #expect(counters.queuedBytes == 0)
        stalled.msrp.stream.close()
        try await fixture.end()
    }

    @Test("a receiver that goes on after a pause has lost nothing")
    func resumed() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        let text = String(repeating: "y", count: 100_000)
        for number in 1...60 { #expect(try alice.say("\(number) \(text)") == 200) }
        for number in 1...60 { #expect(try bob.hears() == "\(number) \(text)") }
        #expect(await fixture.mixer.counters().slowMembersRemoved == 0)
        try await fixture.end()
    }

    @Test("a member reset in mid-fan-out while its own SEND is unread harms nobody (re-entrant writes)")
    func resetDuringFanout() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let carol = try await fixture.join("carol")
        for round in 1...30 {
            let victims = try await withThrowingTaskGroup(of: TestParticipant.self) { group in
                for number in 1...4 { group.addTask { try await fixture.join("victim\(round)x\(number)") } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            // While the loop is held, the victims' SENDs and resets and Alice's SEND pile up: one turn sees them all.
            let held = DispatchSemaphore(value: 0)
            fixture.transport.eventLoop.execute { held.wait() }
            for victim in victims {
                try victim.msrp.stream.send(
                    victim.msrp.sendBytes(id: victim.msrp.newID(), body: victim.cpim("last words \(round)")))
            }
            let id = try alice.msrp.post(alice.cpim("round \(round)"))
            for victim in victims { victim.msrp.stream.reset() }
            held.signal()
            #expect(try alice.msrp.response(to: id).status == 200)
            while try carol.hears() != "round \(round)" {}
            try await fixture.until {
                let roster = await fixture.mixer.roster(fixture.room)
                return roster.filter(\.isMediaActive).count == 2
            }
        }
        #expect(try carol.say("bye") == 200)
        while try alice.hears() != "bye" {}
        try await fixture.end()
    }
}

extension CongestionTests {
    @Test("a slow receiver that moves slows the sender, and loses nothing")
    func slowButMoving() async throws {
        var configuration = MixerConfiguration()
        configuration.maximumMessageSize = 100_000
        configuration.memberQueueBytes = 2_000_000
        // This test reads nothing until the sender waits, and may be held up itself on a busy machine: neither is what
        // it is about.
        configuration.slowMemberPatience = .seconds(60)
        configuration.slowMemberWait = .seconds(60)
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let slow = try await fixture.join("slow")
        let text = String(repeating: "z", count: 90_000)
        let bodies = (1...200).map { alice.cpim("\($0) \(text)") }
        let sending = Task.detached { for body in bodies { try alice.msrp.post(body) } }
        try await fixture.until { await fixture.mixer.counters().sendersPaused > 0 }
        // Octets first, sense later: taking them apart would take too long to be called moving.
        var received: [UInt8] = []
        let deadline = Deadline.after(seconds: 60)
        let enough = bodies.reduce(0) { $0 + $1.count + 100 }
        while received.count < enough, let bytes = try slow.msrp.stream.receiveIfAny(deadline), !bytes.isEmpty {
            received += bytes
        }
        try await sending.value
        var copies: [[UInt8]] = []
        var start = 0
        while copies.count < bodies.count {
            guard let (frame, end) = try MSRPFrame.parse(received, from: start) else {
                guard let more = try slow.msrp.stream.receiveIfAny(deadline), !more.isEmpty else { break }
                received += more
                continue
            }
            start = end
            if let body = frame.body { copies.append(body) }
        }
        #expect(copies == bodies)
        #expect(await fixture.mixer.counters().slowMembersRemoved == 0)
        try await fixture.end()
    }

    @Test("a sender that nobody reads from while it waits for others can't answer, and isn't taken for dead")
    func pausedSenderIsAlive() async throws {
        var configuration = MixerConfiguration()
        configuration.maximumMessageSize = 100_000
        configuration.memberQueueBytes = 2_000_000
        configuration.slowMemberPatience = .seconds(120)
        configuration.slowMemberWait = .seconds(120)
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let slow = try await fixture.join("slow")
        #expect(try slow.say("to be answered") == 200)
        let text = String(repeating: "z", count: 90_000)
        let bodies = (1...120).map { alice.cpim("\($0) \(text)") }
        let sending = Task.detached { for body in bodies { try alice.msrp.post(body) } }
        try await fixture.until { await fixture.mixer.counters().sendersPaused > 0 }
        await fixture.tick(after: configuration.transactionTimeout + .seconds(1))
        #expect(!fixture.events.contains("alice lost"))
        for number in 1...120 { #expect(try slow.hears() == "\(number) \(text)") }
        try await sending.value
        #expect(try alice.hears() == "to be answered")
        #expect(try slow.say("again") == 200)
        #expect(try alice.hears() == "again")
        #expect(!fixture.events.contains("alice lost"))
        #expect(await fixture.mixer.counters().transactionTimeouts == 0)
        try await fixture.end()
    }
}
