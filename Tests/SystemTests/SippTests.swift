import Foundation
import Support
import Testing

extension SystemTests {
    /// The flows again with a SIP implementation that is nobody's of this project.
    @Suite("Opinions of sipp", .enabled(if: Tool.exists("sipp"), "sipp is not installed"))
    struct SippTests {
        private static func scenario(_ name: String) -> String {
            URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
                .appendingPathComponent("Corpus/sipp/\(name).xml").path
        }

        @Test("50 calls a second dial in, subscribe and leave (RFC 4579 section 5.1)", arguments: ["u1", "t1"])
        func dialIn(_ transport: String) throws {
            let confd = try ConfdProcess(Workflow.options)
            let result = try Tool.run(
                "sipp",
                [
                    "\(transport == "u1" ? confd.udp : confd.tcp)", "-sf", Self.scenario("dial-in"), "-s", "sipp", "-i",
                    "127.0.0.1", "-t", transport, "-m", "100", "-r", "50", "-nostdin", "-timeout", "40s",
                    "-timeout_error", "-default_behaviors", "all,-abortunexp",
                ], within: 60)
            #expect(result.exit == .exited(0), "\(result.output.suffix(2500)) \(result.errors.suffix(1500))")
            #expect(try confd.terminate() == .exited(0))
        }

        /// sipp waits on a port of its own until it has had its one call.
        private func wait(_ name: String, on port: UInt16, in folder: TemporaryFolder) throws -> ChildProcess {
            let path = try #require(Tool.path("sipp"))
            return try ChildProcess(
                path,
                [
                    "-sf", Self.scenario(name), "-i", "127.0.0.1", "-p", "\(port)", "-m", "1", "-nostdin", "-timeout",
                    "40s", "-timeout_error",
                ], folder: folder.path, name: name
            ).listening(on: port)
        }

        @Test("sipp is called into a room and removed again (RFC 4579 sections 5.2, 5.5, 5.11)")
        func called() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let alice = try Participant("alice", in: "sip:called@127.0.0.1", of: confd)
            let sees = try alice.watch()
            let port = try Bystander().address.port
            let sipp = try wait("called", on: port, in: confd.folder)
            let referral = try alice.refer("<sip:sipp@127.0.0.1:\(port)>")
            #expect(referral.status == 202)
            #expect(try referral.outcome() == 200)
            try sees.until("sipp", "connected") { $0.status == "connected" }
            let entity = try #require(sees.view.user("sipp")?.entity)
            let removal = try alice.refer("<\(entity);method=BYE>")
            #expect(removal.status == 202)
            #expect(try removal.outcome() == 200)
            #expect(try sipp.waitForExit(within: 20) == .exited(0), "\(sipp.standardOutput.suffix(2000))")
        }

        @Test("a client that answers 405 is told of, or invited (dial_out_fallback)")
        func withoutRefer() throws {
            let confd = try ConfdProcess(Workflow.dialling("refer", ["dial_out_fallback": "none"]))
            let alice = try Participant("alice", in: "sip:called@127.0.0.1", of: confd)
            let port = try Bystander().address.port
            let sipp = try wait("no-refer", on: port, in: confd.folder)
            let referral = try alice.refer("<sip:sipp@127.0.0.1:\(port)>")
            #expect(referral.status == 202)
            #expect(try referral.outcome() == 405)
            #expect(try sipp.waitForExit(within: 20) == .exited(0), "\(sipp.standardOutput.suffix(2000))")
        }
    }
}

extension ChildProcess {
    /// Waits until somebody has the UDP port.
    fileprivate func listening(on port: UInt16) throws -> ChildProcess {
        let deadline = Deadline.after(seconds: 10)
        let suffix = String(format: ":%04X", port)
        while !deadline.passed {
            let table = try String(contentsOfFile: "/proc/net/udp", encoding: .utf8)
            let isTaken = table.split(separator: "\n").contains {
                $0.split(separator: " ").dropFirst().first?.hasSuffix(suffix) == true
            }
            if isTaken { return self }
            usleep(5_000)
        }
        throw SupportError("nobody listens on port \(port)")
    }
}
