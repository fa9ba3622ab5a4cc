import Foundation
import Support
import Testing

/// Packets on the loopback device as dumpcap writes them down.
private final class Capture {
    let file: String
    private let process: ChildProcess
    private let marker: DatagramSocket
    private let folder: TemporaryFolder

    /// Whether this machine and user may capture; asked once.
    static let permitted: Bool = {
        guard Tool.exists("dumpcap"), Tool.exists("tshark"), let capture = try? Capture(ports: []) else { return false }
        return (try? capture.stop()) != nil
    }()

    /// Of all that goes on on loopback, the packets of these ports.
    init(ports: [UInt16]) throws {
        folder = try TemporaryFolder()
        file = "\(folder.path)/capture.pcapng"
        // The marker's own port: what is sent there has passed the capture after everything before it.
        marker = try DatagramSocket(to: SocketAddress(host: "127.0.0.1", port: 9))
        guard let dumpcap = Tool.path("dumpcap") else { throw SupportError("dumpcap is not installed") }
        let filter = (ports + [9]).map { "port \($0)" }.joined(separator: " or ")
        process = try ChildProcess(
            dumpcap, ["-i", "lo", "-w", file, "-B", "64", "-f", filter], folder: folder.path, name: "dumpcap")
        // Printed when the file is open, which is after the device is.
        _ = try process.line(startingWith: "File: ", onError: true, within: 10)
    }

    func stop() throws {
        let text = "the capture ends here \(UUID().uuidString)"
        let deadline = Deadline.after(seconds: 10)
        // Nobody listens there; the refusal is reported by the next call.
        try? marker.send(Array(text.utf8))
        while FileManager.default.contents(atPath: file)?.range(of: Data(text.utf8)) == nil {
            if deadline.passed { throw SupportError("the capture does not see its marker") }
            usleep(10_000)
            try? marker.send(Array(text.utf8))
        }
        process.signal(SIGINT)
        guard try process.waitForExit(within: 10) == .exited(0) else { throw SupportError("dumpcap failed") }
    }

    /// What tshark prints for the packets that pass the filter, with the ports of this confd.
    func read(_ filter: String, _ confd: ConfdProcess, fields: [String]) throws -> [String] {
        let result = try Tool.run(
            "tshark",
            [
                "-r", file, "-d", "udp.port==\(confd.udp.port),sip", "-d", "tcp.port==\(confd.tcp.port),sip", "-d",
                "tcp.port==\(confd.msrp.port),msrp", "-Y", filter, "-T", "fields",
            ] + fields.flatMap { ["-e", $0] }, within: 120)
        guard result.exit == .exited(0) else { throw SupportError("tshark: \(result.errors)") }
        return result.output.split(separator: "\n").map(String.init)
    }
}

extension SystemTests {
    @Suite("A capture of what confd sends", .enabled(if: Capture.permitted, "capturing is not permitted here"))
    struct CaptureTests {
        @Test("tshark's SIP, SDP and MSRP dissectors find nothing malformed", arguments: [2, 50])
        func nothingMalformed(participants: Int) throws {
            let confd = try ConfdProcess()
            let capture = try Capture(ports: [confd.udp.port, confd.tcp.port, confd.msrp.port])
            let room = "sip:captured@127.0.0.1"
            let members = try (0..<participants).map { index in
                try Participant("user\(index)", in: room, of: confd, over: index % 2 == 0 ? .udp : .tcp) { offer, _ in
                    if index % 3 == 0 { offer.chatroom = nil }
                }
            }
            for (index, member) in members.enumerated() {
                #expect(try member.say("message \(index)", extra: "Success-Report: yes\r\n") == 200)
            }
            for member in members {
                var heard = 0
                while heard < participants - 1 {
                    if try member.hears().hasPrefix("message ") { heard += 1 }
                }
            }
            var offer = Offer()
            offer.version = 2
            _ = try members[0].call.update(offer.text)
            #expect(try members[0].sip.ask("OPTIONS", room).status == 200)
            _ = try members[0].sip.ask("REGISTER", "sip:127.0.0.1")
            _ = try members[0].sip.invite("sip:x@elsewhere.example", offer: Offer().text)
            for member in members.dropFirst() { try member.leave() }
            confd.process.signal(SIGTERM)
            try members[0].call.awaitBye()
            #expect(try confd.process.waitForExit(within: 5) == .exited(0))
            try capture.stop()

            let ours =
                "(udp.srcport == \(confd.udp.port) || tcp.srcport == \(confd.tcp.port) || tcp.srcport == \(confd.msrp.port))"
            for dissector in ["sip", "sdp", "msrp"] {
                #expect(
                    try capture.read("\(ours) && \(dissector)", confd, fields: ["frame.number"]).count >= participants)
            }
            let wrong = try capture.read(
                "\(ours) && (_ws.malformed || _ws.expert.group == \"Malformed\" || ((sip || sdp || msrp) && "
                    + "_ws.expert.group != \"Sequence\" && _ws.expert.severity >= \"Warning\"))",
                confd, fields: ["frame.number", "_ws.col.protocol", "_ws.expert.message", "_ws.col.info"])
            #expect(wrong.isEmpty, "\(wrong.prefix(10).joined(separator: "\n"))")
        }
    }
}
