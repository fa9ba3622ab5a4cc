import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("Rosters of many", .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct RosterScaleTests {
        private let room = "sip:many@127.0.0.1"
        private static let options: ConfdProcess.Options = [
            "Conference": ["notify_interval": "1 s"], "Log": ["level": "warning"],
        ]

        /// Joins spread over ten seconds, each with its MSRP session and its subscription over TCP.
        @Test("200 joins within 10 s, all subscribed: at most 2,500 NOTIFYs, each valid, no version missing")
        func twoHundredJoins() throws {
            let confd = try ConfdProcess(Self.options)
            let crowd = RosterCrowd(room, of: confd)
            let processor = try confd.process.processorSeconds()
            let start = Date()
            for index in 0..<200 {
                try crowd.join("user\(index)")
                let due = Double(index + 1) * 0.048
                try crowd.serve(for: max(0, due + start.timeIntervalSinceNow))
            }
            let seconds = Date().timeIntervalSince(start)
            // What was gathered last comes within the interval.
            try crowd.serve(for: 2.5)
            let used = try confd.process.processorSeconds() - processor
            #expect(crowd.notifications <= 2500)
            let views = try crowd.views()
            #expect(views.map(\.connected.count) == Array(repeating: 200, count: 200))
            #expect(views.map(\.userCount) == Array(repeating: 200, count: 200))
            print(
                "200 joins in \(String(format: "%.1f", seconds)) s: \(crowd.notifications) NOTIFYs, "
                    + "\(String(format: "%.2f", used * 1000 / 200)) ms of processor time a join, "
                    + "\(try confd.residentKiB() / 1024) MB")
            try crowd.leave()
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("500 subscribers of one room over TCP: each is told of every change, once")
        func fiveHundredSubscribers() throws {
            let confd = try ConfdProcess(Self.options)
            let alice = try Participant("alice", in: room, of: confd)
            let crowd = RosterCrowd(room, of: confd)
            // Alice's own coming is gathered, and over, before anybody watches.
            try crowd.serve(for: 2.2)
            for index in 0..<500 {
                try crowd.watch("watcher\(index)")
                if index % 20 == 0 { try crowd.serve(for: 0) }
            }
            #expect(try crowd.serve(for: 20) { crowd.notifications >= 500 })
            // What the subscribing itself may still bring (nothing: watchers are no participants).
            try crowd.serve(for: 1.2)
            let before = crowd.notifications
            #expect(before == 500)
            let bob = try Participant("bob", in: room, of: confd)
            #expect(try crowd.serve(for: 20) { crowd.notifications >= before + 500 })
            try crowd.serve(for: 2.5)
            try bob.leave()
            #expect(
                try crowd.serve(for: 20) {
                    crowd.members.allSatisfy { $0.documents.count > 1 } && crowd.notifications >= before + 1000
                })
            try crowd.serve(for: 2.5)
            for view in try crowd.views() { #expect(view.connected == ["sip:alice@127.0.0.1"]) }
            // The document is one for all: what 500 got is a handful of texts.
            #expect(crowd.documents.count < 12, "\(crowd.documents.count) documents")
            for member in crowd.members { #expect(member.sequences == member.sequences.sorted()) }
            try alice.leave()
            #expect(try crowd.serve(for: 20) { crowd.members.allSatisfy { $0.lastState.contains("noresource") } })
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("20 rounds of joining, subscribing and leaving: memory is flat after the second, and nothing is left")
        func rounds() throws {
            let confd = try ConfdProcess(Self.options)
            let people = SystemTests.long ? 200 : 40
            var resident = [Int]()
            for _ in 0..<20 {
                let crowd = RosterCrowd(room, of: confd)
                for index in 0..<people {
                    try crowd.join("user\(index)")
                    try crowd.serve(for: 0)
                }
                try crowd.serve(for: 0.2)
                try crowd.leave()
                resident.append(try confd.residentKiB())
            }
            print("resident memory after each round of \(people): \(resident.map { $0 / 1024 }) MB")
            #expect((resident.last ?? 0) - resident[1] < 5 * 1024, "\(resident)")
            try expectNothingLeft(confd)
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("after losses of every kind the counters are back at zero (section 7 of the focus's duties)")
        func nothingLeaks() throws {
            let confd = try ConfdProcess(
                Workflow.options(["SIP": ["ack_timeout": "1 s"], "MSRP": ["grace_period": "1 s"]]))
            let bystander = try Bystander()
            for transport in SIPTransportName.allCases {
                let alice = try Participant("alice", in: room, of: confd, over: transport)
                _ = try alice.watch()
                // MSRP is lost and not recovered.
                let lost = try Participant("lost", in: room, of: confd, over: transport)
                lost.msrp.stream.reset()
                // ACK never comes.
                let silent = try RawSIPClient(transport, to: confd, user: "silent")
                #expect(try silent.invite(room, offer: Offer().text).status == 200)
                // Somebody who never answers is called.
                let referral = try alice.refer("<\(bystander.uri())>")
                #expect(referral.status == 202)
                try lost.call.awaitBye(within: 20)
                // An answer to the BYE of the call that was never acknowledged.
                if let bye = try silent.nextIfAny(within: 20, where: { $0.method == "BYE" && !$0.isResponse }) {
                    try silent.respond(to: bye)
                }
                try alice.leave()
                alice.sip.reset()
            }
            try expectNothingLeft(confd)
        }

        /// `confd status --json` tells no participant, room, subscription or call.
        private func expectNothingLeft(_ confd: ConfdProcess) throws {
            let deadline = Deadline.after(seconds: 60)
            var text = ""
            repeat {
                let result = try confd.run("status", "--json")
                text = result.output
                let object = try JSONSerialization.jsonObject(with: Data(text.utf8))
                if Self.gauges(object).allSatisfy({ $0.value == 0 }) { return }
                usleep(200_000)
            } while !deadline.passed
            Issue.record("something is left: \(text)")
        }

        /// Every number whose name is one of what there is now, at any depth.
        private static func gauges(_ object: Any) -> [(name: String, value: Int)] {
            let names: Set<String> = [
                "members", "rooms", "subscriptions", "publications", "calls", "sessions", "sessionsInUse", "underWay",
                "waiting",
            ]
            if let list = object as? [Any] { return list.flatMap(gauges) }
            guard let table = object as? [String: Any] else { return [] }
            return table.flatMap { name, value -> [(String, Int)] in
                if names.contains(name), let number = value as? Int { return [(name, number)] }
                return gauges(value)
            }
        }
    }
}
