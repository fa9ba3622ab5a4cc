import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("confd's own commands")
    struct CommandTests {
        private func probe(_ confd: ConfdProcess, _ uri: String, _ extra: [String] = []) throws -> (
            ChildProcess.Exit, String
        ) {
            let child = try ChildProcess(
                ConfdProcess.executable, ["probe", uri] + extra, folder: confd.folder.path, name: "probe")
            let exit = try child.waitForExit(within: 60)
            return (exit, child.standardOutput)
        }

        @Test("probe: 0 for a focus, 1 for what is none, 2 without an answer")
        func probeExitCodes() throws {
            let confd = try ConfdProcess()
            let (focus, text) = try probe(confd, "sip:lobby@\(confd.udp)")
            #expect(focus == .exited(0))
            #expect(text.lowercased().contains("focus"))
            let (json, object) = try probe(confd, "sip:lobby@\(confd.udp)", ["--json"])
            #expect(json == .exited(0))
            let parsed = try #require(try JSONSerialization.jsonObject(with: Data(object.utf8)) as? [String: Any])
            #expect(parsed.contains { "\($0.value)" == "1" || ($0.value as? Bool) == true })
            // A user agent that answers, without isfocus.
            let answered = try #require(try? probe(confd, "sip:lobby@elsewhere.example:\(confd.udp.port)"))
            #expect(answered.0 == .exited(2) || answered.0 == .exited(1))
            let nobody = try DatagramSocket(to: confd.udp)
            #expect(try probe(confd, "sip:lobby@127.0.0.1:\(nobody.localPort)").0 == .exited(2))
        }

        @Test("confd chat and two independent clients meet", arguments: Way.all)
        func chat(_ way: Way) throws {
            let confd = try ConfdProcess()
            let room = "sip:meet@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd, over: way.sip, tls: way.tls)
            let bob = try Participant("bob", in: room, of: confd, over: way.sip, tls: way.tls)
            let arguments = ["chat", "sip:meet@\(confd.address(way.sip))", "--as", "sip:carol@127.0.0.1"]
            let child = try ChildProcess(
                ConfdProcess.executable,
                arguments + ["--transport", way.sip.rawValue] + (way.tls ? ["--tls"] : []),
                folder: confd.folder.path, name: "chat", hasInput: true)
            try child.write("hello from the terminal\n")
            for member in [alice, bob] { #expect(try member.hears(within: 20) == "hello from the terminal") }
            #expect(try alice.say("hello carol") == 200)
            #expect(try bob.hears() == "hello carol")
            _ = try child.line(startingWith: "[sip:alice@127.0.0.1] hello carol", within: 10)
            // On a pipe it waits until all is acknowledged before it leaves.
            try child.write("and a last word\n")
            child.closeInput()
            for member in [alice, bob] { #expect(try member.hears() == "and a last word") }
            #expect(try child.waitForExit(within: 20) == .exited(0))
        }
    }

    @Suite("Opinions of other programs")
    struct ToolTests {
        @Test("sipp joins and leaves", .enabled(if: Tool.exists("sipp"), "sipp is not installed"))
        func sipp() throws {
            let confd = try ConfdProcess()
            let scenario = try confd.folder.write(Self.sippScenario, to: "join.xml")
            let result = try Tool.run(
                "sipp",
                [
                    "\(confd.udp)", "-sf", scenario, "-s", "sipp", "-i", "127.0.0.1", "-m", "50", "-r", "50",
                    "-nostdin",
                    "-timeout", "30s", "-timeout_error",
                ], within: 60)
            #expect(result.exit == .exited(0), "\(result.output.suffix(1500)) \(result.errors.suffix(1500))")
            #expect(try confd.terminate() == .exited(0))
        }

        private static let sippScenario = """
            <?xml version="1.0" encoding="UTF-8" ?>
            <scenario name="join a room">
              <send retrans="500"><![CDATA[
            INVITE sip:[service]@127.0.0.1 SIP/2.0
            Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
            From: <sip:sipp[call_number]@[local_ip]:[local_port]>;tag=[call_number]
            To: <sip:[service]@127.0.0.1>
            Call-ID: [call_id]
            CSeq: 1 INVITE
            Contact: <sip:sipp@[local_ip]:[local_port]>
            Max-Forwards: 70
            Content-Type: application/sdp
            Content-Length: [len]

            v=0
            o=sipp 1 1 IN IP4 [local_ip]
            s=-
            c=IN IP4 [local_ip]
            t=0 0
            m=message 2855 TCP/MSRP *
            a=path:msrp://[local_ip]:2855/s[call_number]x;tcp
            a=accept-types:message/cpim
            a=accept-wrapped-types:*
            a=setup:active
              ]]></send>
              <recv response="100" optional="true"></recv>
              <recv response="180" optional="true"></recv>
              <recv response="200" rrs="true"><action>
                <ereg regexp="isfocus" search_in="hdr" header="Contact:" check_it="true" assign_to="focus"/>
                <ereg regexp="a=path:msrp://" search_in="body" check_it="true" assign_to="path"/>
              </action></recv>
              <Reference variables="focus,path"/>
              <send><![CDATA[
            ACK [next_url] SIP/2.0
            Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
            From: <sip:sipp[call_number]@[local_ip]:[local_port]>;tag=[call_number]
            To: <sip:[service]@127.0.0.1>[peer_tag_param]
            Call-ID: [call_id]
            CSeq: 1 ACK
            Max-Forwards: 70
            Content-Length: 0

              ]]></send>
              <pause milliseconds="100"/>
              <send retrans="500"><![CDATA[
            BYE [next_url] SIP/2.0
            Via: SIP/2.0/[transport] [local_ip]:[local_port];branch=[branch]
            From: <sip:sipp[call_number]@[local_ip]:[local_port]>;tag=[call_number]
            To: <sip:[service]@127.0.0.1>[peer_tag_param]
            Call-ID: [call_id]
            CSeq: 2 BYE
            Max-Forwards: 70
            Content-Length: 0

              ]]></send>
              <recv response="200"></recv>
            </scenario>

            """

        @Test(
            "openssl verifies the certificate with its chain",
            .enabled(if: Tool.exists("openssl"), "openssl is not installed"), arguments: ["SIP", "MSRP"])
        func certificateChain(_ port: String) throws {
            let folder = try TemporaryFolder()
            func openssl(_ arguments: String...) throws {
                let result = try Tool.run("openssl", arguments)
                guard result.exit == .exited(0) else { throw SupportError("openssl: \(result.errors)") }
            }
            func file(_ name: String) -> String { "\(folder.path)/\(name)" }
            let authority = try folder.write("basicConstraints=critical,CA:TRUE\nkeyUsage=keyCertSign\n", to: "ca.ext")
            let leaf = try folder.write("subjectAltName=DNS:chat.example.com,IP:127.0.0.1\n", to: "leaf.ext")
            for name in ["root", "middle", "chat"] {
                try openssl("ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", file("\(name).key"))
                try openssl(
                    "req", "-new", "-key", file("\(name).key"), "-subj", "/CN=\(name)", "-out", file("\(name).csr"))
            }
            try openssl(
                "x509", "-req", "-in", file("root.csr"), "-signkey", file("root.key"), "-extfile", authority, "-days",
                "30", "-out", file("root.crt"))
            try openssl(
                "x509", "-req", "-in", file("middle.csr"), "-CA", file("root.crt"), "-CAkey", file("root.key"),
                "-set_serial", "2", "-extfile", authority, "-days", "30", "-out", file("middle.crt"))
            try openssl(
                "x509", "-req", "-in", file("chat.csr"), "-CA", file("middle.crt"), "-CAkey", file("middle.key"),
                "-set_serial", "3", "-extfile", leaf, "-days", "30", "-out", file("chat.crt"))
            let chain = try ["chat.crt", "middle.crt"].map { try String(contentsOfFile: file($0), encoding: .utf8) }
            _ = try folder.write(chain.joined(), to: "chain.crt")

            let certificate = ["certificate": file("chain.crt"), "key": file("chat.key")]
            let confd = try ConfdProcess(["SIP": certificate, "MSRP": certificate])
            let address = port == "SIP" ? confd.tls : confd.msrp
            let result = try Tool.run(
                "openssl",
                [
                    "s_client", "-connect", "\(address)", "-CAfile", file("root.crt"), "-verify_return_error",
                    "-verify_hostname", "chat.example.com", "-servername", "chat.example.com",
                ], input: "")
            #expect(result.output.contains("Verify return code: 0 (ok)"), "\(result.output) \(result.errors)")
        }
    }
}
