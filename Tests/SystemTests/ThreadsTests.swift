import Support
import Testing

extension SystemTests {
    @Suite("Rooms on several threads")
    struct ThreadsTests {
        private let threads: ConfdProcess.Options = ["MSRP": ["threads": "2"]]

        @Test("clients of all ways meet in rooms of both threads, and hear their own room only", arguments: [2, 3])
        func rooms(threads: Int) throws {
            let confd = try ConfdProcess(["MSRP": ["threads": "\(threads)"]])
            let rooms = try (0..<4).map { room in
                try Way.all.enumerated().map { seat, way in
                    try Participant(
                        "user\(room)x\(seat)", in: "sip:room\(room)@127.0.0.1", of: confd, over: way.sip, tls: way.tls)
                }
            }
            for turn in 0..<3 {
                for (room, members) in rooms.enumerated() {
                    for (seat, member) in members.enumerated() {
                        #expect(try member.say("\(turn): \(seat) of \(room)") == 200)
                    }
                }
                for (room, members) in rooms.enumerated() {
                    for (seat, member) in members.enumerated() {
                        for other in members.indices where other != seat {
                            #expect(try member.hears() == "\(turn): \(other) of \(room)")
                        }
                    }
                }
            }
            for member in rooms.joined() { try member.leave() }
            #expect(try confd.terminate() == .exited(0))
        }

        @Test("a client of the relay reaches rooms of both threads", arguments: [false, true], [false, true])
        func relay(tls: Bool, passive: Bool) throws {
            let confd = try ConfdProcess(RelayProcess.options(threads))
            for room in 0..<2 {
                // Rooms go to the thread with the fewest people: the second one to the second thread.
                let uri = "sip:room\(room)@127.0.0.1"
                let alice = try Participant("alice\(room)", in: uri, of: confd, tls: tls)
                let child = try ChildProcess(
                    ConfdProcess.executable,
                    [
                        "chat", "sip:room\(room)@\(confd.udp)", "--as", "sip:carol@127.0.0.1", "--relay",
                        "\(confd.msrp)", "--relay-user", "carol@\(RelayProcess.domain)", "--exit-after", "1",
                        "--wait", "20",
                    ] + (tls ? ["--no-verify"] : ["--no-tls"]) + (passive ? ["--passive"] : []),
                    folder: confd.folder.path, name: "chat\(room)", hasInput: true,
                    environment: ["CONFD_PASSWORD": RelayProcess.password(of: "carol")])
                try child.write("hello through the relay\n")
                #expect(try alice.hears(within: 20) == "hello through the relay")
                let long = String(repeating: "x", count: 70_000)
                #expect(try alice.say(long) == 200)
                _ = try child.line(startingWith: "[sip:alice\(room)@127.0.0.1] \(long)", within: 20)
                child.closeInput()
                #expect(try child.waitForExit(within: 20) == .exited(0), "\(child.standardError)")
            }
            #expect(try confd.terminate() == .exited(0))
        }
    }
}
