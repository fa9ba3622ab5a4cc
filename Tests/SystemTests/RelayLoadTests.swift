import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("The relay: many sessions", .serialized)
    struct RelayLoadTests {
        @Test(
            "5,000 idle sessions: each can be used, and all go",
            .enabled(if: RelayLoadTests.descriptorsSuffice, "too few descriptors"))
        func idleSessions() throws {
            let count = 5_000
            let relay = try RelayProcess(["Log": ["level": "error"]])
            let descriptors = try relay.descriptorCount()
            let baseline = try relay.residentKiB()
            var clients = [RawRelayClient]()
            clients.reserveCapacity(count)
            for number in 0..<count { clients.append(try relay.client(RelayProcess.users[number % 5])) }
            #expect(Set(clients.map { $0.usePath[0] }).count == count)
            #expect(try relay.descriptorCount() - descriptors <= count + 8)
            let perSession = Double(try relay.residentKiB() - baseline) / Double(count)
            // A debug build's; the release's is measured by `make bench-relay`.
            #expect(perSession < 32, "\(perSession) KiB a session")
            for number in stride(from: 0, to: count, by: 97) {
                let outsider = try relay.outsider(for: clients[number])
                try RelayProcess.bind(outsider, to: clients[number])
                #expect(try outsider.say("awake \(number)") == 200)
                #expect(try clients[number].hears() == "awake \(number)")
            }
            for client in clients { client.close() }
            let deadline = Deadline.after(seconds: 20)
            while try relay.descriptorCount() > descriptors + 2, !deadline.passed { usleep(50_000) }
            #expect(try relay.descriptorCount() <= descriptors + 2)
            let status = try relay.status()
            #expect(status.sessions == 0)
            #expect(try relay.terminate() == .exited(0))
        }

        static var descriptorsSuffice: Bool {
            var limit = rlimit()
            getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            if limit.rlim_cur < 12_000 {
                limit.rlim_cur = min(limit.rlim_max, 16_384)
                setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
            }
            return limit.rlim_cur >= 12_000
        }

        /// Sessions come, go and fail in every way for a while; then all is as it was.
        @Test("a soak ends with memory, descriptors and session table where they began")
        func soak() throws {
            let seconds = soakSeconds
            let relay = try RelayProcess(["Relay": ["minimum_expires": "1"], "Log": ["level": "error"]])
            let (witness, friend) = try relay.pair("bob")
            let warm = Soak(relay, seed: 1)
            try warm.run(seconds: max(10, seconds / 10))
            try relay.awaitSessions(1)
            let before = (memory: try relay.residentKiB(), descriptors: try relay.descriptorCount())
            let soak = Soak(relay, seed: 2)
            try soak.run(seconds: seconds)
            try relay.awaitSessions(1)
            let deadline = Deadline.after(seconds: 10)
            while try relay.descriptorCount() > before.descriptors, !deadline.passed { usleep(50_000) }
            #expect(try relay.descriptorCount() <= before.descriptors)
            let after = try relay.residentKiB()
            #expect(after - before.memory < 3 * 1024, "\(before.memory) KiB, then \(after) KiB")
            #expect(soak.sessions > Int(seconds))
            #expect(try friend.say("after \(soak.sessions) sessions") == 200)
            #expect(try witness.hears() == "after \(soak.sessions) sessions")
            #expect(try relay.terminate() == .exited(0))
        }
    }
}

/// What goes on in a soak.
final class Soak {
    private let relay: RelayProcess
    private var generator: SeededGenerator
    private let pattern = BodyPattern()
    private(set) var sessions = 0

    init(_ relay: RelayProcess, seed: UInt64) {
        self.relay = relay
        generator = SeededGenerator(seed: seed)
    }

    func run(seconds: Double) throws {
        let deadline = Deadline.after(seconds: seconds)
        var standing = [(client: RawRelayClient, outsider: RawRelayClient)]()
        while !deadline.passed {
            sessions += 1
            let tls = sessions % 3 == 0
            let dialect = sessions % 2 == 0 ? DigestDialect.msrplib : .kamailio
            switch Int.random(in: 0..<10, using: &generator) {
            case 0:
                let failing = try RawRelayClient(to: relay.address, tls: tls)
                // Not often enough for the throttle to matter.
                if sessions % 20 == 0 { _ = try failing.authenticate(as: "mallory", password: "wrong") }
                failing.stream.reset()
            case 1:
                // Reserved and never used; its URI ends by itself or with the connection.
                let unused = try relay.client(tls: tls, expires: "1")
                if sessions % 2 == 0 { unused.close() } else { unused.stream.reset() }
            case 2:
                let client = try relay.client(tls: tls)
                client.peer = ["msrp://127.0.0.1:9/nobody;tcp"]
                try client.postMessage("to nobody")
                _ = try client.nextReport()
                client.close()
            case 3:
                let (client, outsider) = try relay.pair(tls: tls, dialect: dialect)
                try client.stream.send("MSRP half SEND\r\nTo-Path: \(client.toPath)\r\nFrom-Pa")
                outsider.stream.reset()
                client.close()
            case 4:
                let (client, outsider) = try relay.pair(tls: tls)
                outsider.answer = .silent
                try client.postMessage("unanswered")
                _ = try outsider.nextMessage()
                outsider.close()
                _ = client.closes(within: 5)
                client.close()
            case 5:
                let (client, outsider) = try relay.pair(tls: tls)
                let body = pattern.bytes(offset: 0, count: 200_000)
                let id = try outsider.postMessage(body)
                guard try client.nextWhole().body == body, try outsider.response(to: id).status == 200 else {
                    throw SupportError("damaged")
                }
                client.close()
                outsider.close()
            default:
                standing.append(try relay.pair(tls: tls, dialect: dialect))
            }
            for (number, pair) in standing.enumerated() where number % 4 == sessions % 4 {
                guard try pair.outsider.say("soak \(sessions)") == 200,
                    try pair.client.hears() == "soak \(sessions)", try pair.client.say("back") == 200,
                    try pair.outsider.hears() == "back"
                else { throw SupportError("a message got lost") }
            }
            if standing.count > 40 {
                let pair = standing.remove(at: Int.random(in: 0..<standing.count, using: &generator))
                if sessions % 2 == 0 { pair.client.close() } else { pair.outsider.stream.reset() }
            }
        }
        for pair in standing {
            pair.client.close()
            pair.outsider.close()
        }
    }
}
