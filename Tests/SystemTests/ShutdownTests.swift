import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("Start and end")
    struct ShutdownTests {
        @Test(
            "SIGTERM and SIGINT: BYE to everybody, private Contacts too, and an end within five seconds",
            arguments: [SIGTERM, SIGINT])
        func byeToEverybody(signal: Int32) throws {
            let confd = try ConfdProcess()
            let members = try (0..<12).map { index in
                let way = Way.all[index % Way.all.count]
                return try Participant("user\(index)", in: "sip:last@127.0.0.1", of: confd, over: way.sip, tls: way.tls)
                {
                    // Every second client believes in an address that leads nowhere from here.
                    if index % 2 == 1 { $1.contactHost = "10.255.255.1" }
                }
            }
            let deadline = Deadline.after(seconds: 5)
            confd.process.signal(signal)
            for member in members { try member.call.awaitBye(within: 5) }
            #expect(try confd.process.waitForExit(within: Double(deadline.remainingMilliseconds) / 1000) == .exited(0))
        }

        @Test("SIGTERM ends within five seconds though nobody answers the BYE")
        func byeUnanswered() throws {
            let confd = try ConfdProcess()
            let member = try Participant("mute", in: "sip:last@127.0.0.1", of: confd)
            confd.process.signal(SIGTERM)
            _ = try member.sip.request("BYE", within: 5)
            #expect(try confd.process.waitForExit(within: 5) == .exited(0))
        }

        @Test("a participant whose SIP connection is gone is no reason to stay")
        func goneConnection() throws {
            let confd = try ConfdProcess()
            let member = try Participant("gone", in: "sip:last@127.0.0.1", of: confd, over: .tcp)
            member.sip.reset()
            #expect(try confd.terminate(within: 5) == .exited(0))
        }

        @Test("a port in use is named with its option", arguments: ["SIP udp", "SIP tcp", "MSRP"])
        func portInUse(_ what: String) throws {
            let first = try ConfdProcess()
            let taken = what == "MSRP" ? first.msrp : what == "SIP udp" ? first.udp : first.tcp
            let folder = try TemporaryFolder()
            var options: ConfdProcess.Options = [:]
            switch what {
            case "MSRP": options["MSRP"] = ["address": "\(taken)"]
            case "SIP udp": options["SIP"] = ["listen": "udp:\(taken)"]
            default: options["SIP"] = ["listen": "tcp:\(taken)"]
            }
            let file = try folder.write(ConfdProcess.configuration(options, folder: folder.path), to: "confd.ini")
            let second = try ChildProcess(
                ConfdProcess.executable, ["serve", "--config-file", file], folder: folder.path, name: "second")
            let exit = try second.waitForExit(within: 20)
            #expect(exit != .exited(0))
            if case .killed(let signal) = exit { Issue.record("killed by signal \(signal)") }
            #expect(second.standardError.contains(":\(taken.port)"))
            #expect(second.standardError.contains(what == "MSRP" ? "address" : "listen"))
            #expect(!second.standardOutput.contains("confd ready:"))
        }

        @Test("an unknown option is refused with the nearest name")
        func unknownOption() throws {
            let folder = try TemporaryFolder()
            let file = try folder.write("[MSRP]\nadress = 127.0.0.1:0\n", to: "confd.ini")
            for command in ["serve", "check-config"] {
                let child = try ChildProcess(
                    ConfdProcess.executable, [command, "--config-file", file], folder: folder.path, name: command)
                #expect(try child.waitForExit(within: 20) != .exited(0))
                let said = child.standardError + child.standardOutput
                #expect(said.contains("adress"))
                #expect(said.contains("address"))
                #expect(said.contains("confd.ini:2"))
            }
        }

        @Test("a generated certificate is kept: the next start shows the same")
        func certificateIsKept() throws {
            let first = try ConfdProcess()
            let state = "\(first.folder.path)/state"
            let before = try FileManager.default.contentsOfDirectory(atPath: state).sorted()
            #expect(try first.terminate() == .exited(0))
            let files = before.filter { FileManager.default.contents(atPath: "\(state)/\($0)") != nil }
            let contents = files.map { FileManager.default.contents(atPath: "\(state)/\($0)") }
            let second = try ConfdProcess(["Conference": ["state_directory": state]])
            #expect(files.map { FileManager.default.contents(atPath: "\(state)/\($0)") } == contents)
            #expect(try second.terminate() == .exited(0))
        }
    }
}
