import Foundation
import Support
import Synchronization
import Testing

extension SystemTests {
    @Suite("What was said in a room")
    struct HistoryTests {
        private static let room = "sip:talk@127.0.0.1"
        private static let name = "talk@127.0.0.1"

        private struct Message: Decodable {
            var sequence: Int64
            var time: String
            var sender: String
            var `private`: Bool
            var recipient: String?
            var contentType: String
            var encoding: String
            var content: String
        }

        private func join(_ user: String, _ confd: ConfdProcess) throws -> Participant {
            try Participant(user, in: Self.room, of: confd) { offer, _ in offer.chatroom = "private-messages" }
        }

        private func history(_ confd: ConfdProcess, _ arguments: String...) throws -> [Message] {
            let result = try Tool.run(
                ConfdProcess.executable,
                ["room", "history", Self.name, "--format", "json"] + arguments
                    + ["--config-file", confd.configurationFile])
            #expect(result.exit == .exited(0), "\(result.errors)")
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode([Message].self, from: Data(result.output.utf8))
        }

        @Test(
            "a newcomer is told the last messages, also after a restart, and an operator sees them and takes them away")
        func kept() throws {
            let options = ["Conference": ["history": "last 20", "history_private": "Yes"]]
            var confd = try ConfdProcess(options)
            var alice = try join("alice", confd)
            let bob = try join("bob", confd)
            #expect(try alice.say("hello") == 200)
            #expect(try bob.hears() == "hello")
            let secret = RawMSRPClient.cpim(
                from: alice.sip.addressOfRecord, to: bob.sip.addressOfRecord, "for you\nalone")
            #expect(try alice.msrp.response(to: alice.msrp.post(secret)).status == 200)
            let image =
                Array(
                    ("From: <\(alice.sip.addressOfRecord)>\r\nTo: <\(Self.room)>\r\n\r\nContent-Type: image/png\r\n\r\n")
                        .utf8)
                + [UInt8](repeating: 0xFF, count: 1500)
            #expect(try alice.msrp.response(to: alice.msrp.post(image)).status == 200)

            // At once: the server writes first what waits.
            let messages = try history(confd)
            try #require(messages.map(\.sequence) == [1, 2, 3])
            #expect(messages.map(\.content).prefix(2) == ["hello", "for you\nalone"])
            #expect(messages.map(\.encoding) == ["text", "text", "base64"])
            #expect(messages.map(\.recipient) == [nil, bob.sip.addressOfRecord, nil])
            #expect(messages.map(\.private) == [false, true, false])
            #expect(messages[2].contentType == "image/png")
            #expect(Data(base64Encoded: messages[2].content)?.count == 1500)
            let text = try confd.run("room", "history", Self.name).output
            let lines = text.split(separator: "\n").map(String.init)
            #expect(lines.count == 4)
            #expect(lines[0].contains(/^\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  .*alice.*: hello$/))
            #expect(lines[1].contains(/alice.*, to bob@.* alone: for you$/))
            #expect(lines[2].contains(/^ {21}alone$/))
            #expect(lines[3].hasSuffix(": [image/png, 1 kB]"))

            #expect(confd.process.isRunning)
            #expect(try confd.terminate() == .exited(0))
            // Without a server it is read from the database.
            #expect(try history(confd, "--last", "1").map(\.sequence) == [3])
            confd = try ConfdProcess(options, in: confd.folder)
            alice = try join("alice", confd)
            #expect(try alice.hears() == "hello")
            #expect(try alice.hears() == "for you\nalone")
            let carol = try Participant("carol", in: Self.room, of: confd)
            #expect(try carol.hears() == "hello")
            #expect(try carol.msrp.nextMessage().body == image)
            #expect(try alice.say("again") == 200)
            #expect(try history(confd).map(\.sequence) == [1, 2, 3, 4])
            #expect(try history(confd, "--since", "1h").count == 4)
            #expect(try history(confd, "--since", "2999-01-01T00:00:00Z").isEmpty)

            #expect(
                try confd.run("room", "purge", Self.name, "--before", "1h", "--yes").output == "0 messages removed\n")
            #expect(try confd.run("room", "purge", Self.name, "--yes").output == "4 messages removed\n")
            #expect(try history(confd).isEmpty)
            #expect(try alice.say("new") == 200)
            let dave = try Participant("dave", in: Self.room, of: confd)
            #expect(try dave.hears() == "new")
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("a room that is removed is forgotten with what was said there")
        func removed() throws {
            let confd = try ConfdProcess(["Conference": ["history": "7 days"]])
            #expect(try confd.run("room", "add", Self.name).exit == .exited(0))
            let alice = try Participant("alice", in: Self.room, of: confd)
            _ = try alice.say("hello")
            #expect(try history(confd).count == 1)
            #expect(try confd.run("room", "remove", Self.name).exit == .exited(0))
            #expect(try confd.run("room", "history", Self.name).errors.contains("there is no room"))
        }

        // MARK: kill -9

        /// What a participant said, and when its 200 had come.
        private struct Said {
            var text: String
            var acknowledged: ContinuousClock.Instant?
        }

        /// How long before a crash a message may have been said and be lost: `MixerConfiguration.historyDelay`.
        private static let window = Duration.milliseconds(100)

        /// Talks without a pause until the server is killed.
        private func talk(_ alice: Participant, round: Int, until killed: Deadline) throws -> [Said] {
            var said: [Said] = []
            var open: [(id: String, index: Int)] = []
            do {
                while !killed.passed {
                    while open.count < 8 {
                        let text = "round \(round) message \(said.count)"
                        said.append(Said(text: text))
                        open.append((try alice.post(text), said.count - 1))
                    }
                    let (id, index) = open.removeFirst()
                    guard try alice.msrp.response(to: id).status == 200 else { throw SupportError("no 200") }
                    said[index].acknowledged = .now
                }
            } catch {
                // The server is gone.
            }
            return said
        }

        @Test("kill -9 under load: the database opens, and what was stored is told exactly once, in order")
        func killed() throws {
            let options = ["Conference": ["history": "7 days"]]
            var folder: TemporaryFolder?
            // What is known to be there from the rounds before.
            var before: [Int64: String] = [:]
            for round in 0..<(SystemTests.long ? 50 : 5) {
                let confd = try ConfdProcess(options, in: folder)
                folder = confd.folder
                let alice = try Participant("alice", in: Self.room, of: confd)
                alice.msrp.answersRequests = true
                let process = confd.process
                let moment = Mutex<ContinuousClock.Instant?>(nil)
                let pause = Double.random(in: 0.15...0.8)
                let killer = Thread {
                    Thread.sleep(forTimeInterval: pause)
                    moment.withLock { $0 = .now }
                    process.signal(SIGKILL)
                }
                killer.start()
                let said = try talk(alice, round: round, until: .after(seconds: 20))
                #expect(try process.waitForExit(within: 10) == .killed(signal: SIGKILL))
                let killedAt = try #require(moment.withLock { $0 })

                let kept = try history(confd)
                let numbers = kept.map(\.sequence)
                #expect(numbers == Array(Set(numbers)).sorted(), "each once, in order")
                let texts = kept.map(\.content)
                #expect(Set(texts).count == texts.count, "nothing is there under two numbers")
                for (number, text) in before {
                    let found = kept.first { $0.sequence == number }
                    guard found?.content == text else {
                        Issue.record("\(text) was there after an earlier round")
                        break
                    }
                }
                // What is kept of this round is the beginning of what was said in it.
                let own = texts.filter { $0.hasPrefix("round \(round) ") }
                #expect(own == said.prefix(own.count).map(\.text))
                #expect(texts.suffix(own.count) == own[...])
                let safe = said.prefix { $0.acknowledged.map { $0 < killedAt - Self.window } ?? false }.count
                #expect(own.count >= safe, "said \(said.count), safe \(safe), kept \(own.count)")
                before = Dictionary(kept.map { ($0.sequence, $0.content) }) { first, _ in first }
            }

            // A newcomer is told the same.
            let confd = try ConfdProcess(options, in: folder)
            let kept = try history(confd).map(\.content)
            let newcomer = try Participant("bob", in: Self.room, of: confd)
            #expect(try newcomer.say("end") == 200)
            let carol = try Participant("carol", in: Self.room, of: confd)
            var told: [String] = []
            while told.last != "end" { told.append(try carol.hears()) }
            #expect(told.count > 1)
            #expect(told == (kept + ["end"]).suffix(told.count))
            #expect(try confd.terminate() == .exited(0))
        }
    }
}
