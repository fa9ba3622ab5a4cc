import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("The relay: chat in a room")
    struct RelayChatTests {
        struct ChatWay: Sendable, CustomStringConvertible {
            let tls: Bool
            let passive: Bool
            let sameProcess: Bool

            static let all = [false, true].flatMap { tls in
                [false, true].flatMap { passive in
                    [false, true].map { ChatWay(tls: tls, passive: passive, sameProcess: $0) }
                }
            }

            var description: String {
                "\(tls ? "TLS" : "plain"), \(passive ? "passive" : "active"), room \(sameProcess ? "here" : "elsewhere")"
            }
        }

        @Test("confd chat joins a room through the relay", arguments: ChatWay.all)
        func chat(_ way: ChatWay) throws {
            let confd = try ConfdProcess(way.sameProcess ? RelayProcess.options() : [:])
            let relay = try way.sameProcess ? nil : RelayProcess()
            let alice = try Participant("alice", in: "sip:meet@127.0.0.1", of: confd, tls: way.tls)
            let arguments = [
                "chat", "sip:meet@\(confd.udp)", "--as", "sip:carol@127.0.0.1", "--relay",
                "\(relay?.address ?? confd.msrp)", "--relay-user", "carol@\(RelayProcess.domain)", "--exit-after", "1",
                "--wait", "20",
            ]
            let child = try ChildProcess(
                ConfdProcess.executable,
                arguments + (way.tls ? ["--no-verify"] : ["--no-tls"]) + (way.passive ? ["--passive"] : []),
                folder: confd.folder.path, name: "chat", hasInput: true,
                environment: ["CONFD_PASSWORD": RelayProcess.password(of: "carol")])
            try child.write("hello through the relay\n")
            #expect(try alice.hears(within: 20) == "hello through the relay")
            // Long enough for several chunks on the way.
            let long = String(repeating: "x", count: 70_000)
            #expect(try alice.say(long) == 200)
            _ = try child.line(startingWith: "[sip:alice@127.0.0.1] \(long)", within: 20)
            child.closeInput()
            #expect(try child.waitForExit(within: 20) == .exited(0), "\(child.standardError)")
        }

        @Test("chat with a wrong password at the relay does not call the room")
        func chatRefused() throws {
            let confd = try ConfdProcess(RelayProcess.options())
            let result = try ChildProcess(
                ConfdProcess.executable,
                [
                    "chat", "sip:meet@\(confd.udp)", "--as", "sip:carol@127.0.0.1", "--relay", "\(confd.msrp)",
                    "--relay-user", "carol@example.com", "--no-verify",
                ], folder: confd.folder.path, name: "chat",
                environment: ["CONFD_PASSWORD": "wrong"])
            #expect(try result.waitForExit(within: 20) == .exited(1))
            #expect(result.standardError.contains("wrong user name or password for carol@example.com"))
            #expect(!confd.log.contains("joined"))
        }
    }
}
