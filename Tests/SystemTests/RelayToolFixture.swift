import Foundation
import Support
import Testing

/// Relays with certificates that clients can check.
struct CheckedRelay {
    let relay: RelayProcess
    let trustFile: String

    init(_ options: ConfdProcess.Options = [:]) throws {
        let authority = try TestAuthority()
        let issued = try authority.issue(["localhost"], address: true)
        let folder = try TemporaryFolder()
        var sections = options
        sections["Relay", default: [:]].merge([
            "certificate": try folder.write(issued.certificate, to: "relay.crt"),
            "key": try folder.write(issued.key, to: "relay.key"),
        ]) { $1 }
        relay = try RelayProcess(sections)
        trustFile = try relay.folder.write(authority.pem, to: "ca.pem")
    }

    /// What makes a client use this relay.
    func arguments(tls: Bool) -> [String] {
        ["--relay", "\(relay.address)"] + (tls ? ["--trust", trustFile] : ["--no-tls"])
    }
}

/// A folder with a file to send, and one for what comes.
final class Transfer {
    let folder: TemporaryFolder
    let file: String
    let inbox: String
    let content: Data

    init(size: Int, name: String = "file.bin") throws {
        folder = try TemporaryFolder()
        var generator = SystemRandomNumberGenerator()
        var content = Data(capacity: size + 8)
        while content.count < size {
            withUnsafeBytes(of: generator.next() as UInt64) { content.append(contentsOf: $0) }
        }
        self.content = content.prefix(size)
        file = "\(folder.path)/\(name)"
        inbox = "\(folder.path)/inbox"
        try self.content.write(to: URL(fileURLWithPath: file))
        try FileManager.default.createDirectory(atPath: inbox, withIntermediateDirectories: true)
    }

    func receive(_ arguments: [String], user: String = "bob", password: String? = nil, name: String = "in") throws
        -> ChildProcess
    {
        try ChildProcess(
            ConfdProcess.executable,
            ["relay-receive", "--as", "\(user)@\(RelayProcess.domain)", "--dir", inbox, "--json"] + arguments,
            folder: folder.path, name: name,
            environment: ["CONFD_PASSWORD": password ?? RelayProcess.password(of: user)])
    }

    func send(to path: String, _ arguments: [String], user: String? = nil, name: String = "out") throws -> ChildProcess
    {
        try ChildProcess(
            ConfdProcess.executable,
            ["send-file", file, path, "--json"] + (user.map { ["--as", "\($0)@\(RelayProcess.domain)"] } ?? [])
                + arguments,
            folder: folder.path, name: name,
            environment: ["CONFD_PASSWORD": RelayProcess.password(of: user ?? "alice")])
    }

    /// The events of that kind so far, waiting for the one of that number.
    static func event(
        _ kind: String, number: Int = 0, of child: ChildProcess, within seconds: Double = 60
    ) throws -> [String: Any] {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            let isOver = !child.isRunning
            let found = child.standardOutput.split(separator: "\n").compactMap {
                try? JSONSerialization.jsonObject(with: Data($0.utf8)) as? [String: Any]
            }.filter { $0["event"] as? String == kind }
            if number < found.count { return found[number] }
            if isOver || deadline.passed {
                throw SupportError("no \(kind): \(child.standardOutput) \(child.standardError)")
            }
            usleep(2000)
        }
    }

    static func path(_ number: Int = 0, of child: ChildProcess) throws -> String {
        try #require(try event("ready", number: number, of: child, within: 20)["path"] as? String)
    }

    /// Octets in the part.
    func partSize(_ name: String = "file.bin") -> Int {
        let status = try? FileManager.default.attributesOfItem(atPath: "\(inbox)/\(name).part")
        return (status?[.size] as? NSNumber)?.intValue ?? 0
    }

    func awaitPart(of size: Int, within seconds: Double = 30) throws {
        let deadline = Deadline.after(seconds: seconds)
        while partSize() < size {
            if deadline.passed { throw SupportError("the part has \(partSize()) octets") }
            usleep(1000)
        }
    }

    /// Both ends are done and have the same file.
    func check(
        _ receiver: ChildProcess, _ sender: ChildProcess, resumedAt: Int = 0,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let outcome = try sender.waitForExit(within: 60)
        #expect(outcome == .exited(0), "\(sender.standardError)", sourceLocation: sourceLocation)
        #expect(
            try receiver.waitForExit(within: 20) == .exited(0), "\(receiver.standardError)",
            sourceLocation: sourceLocation)
        let sent = try Self.event("sent", of: sender)
        let received = try Self.event("received", of: receiver)
        let path = try #require(received["file"] as? String)
        let stored = try Data(contentsOf: URL(fileURLWithPath: path))
        #expect(stored == content, sourceLocation: sourceLocation)
        let sum = try Tool.run("sha256sum", [file]).output.prefix(64)
        for event in [sent, received] {
            #expect(event["sha256"] as? String == String(sum), sourceLocation: sourceLocation)
            #expect(event["resumed_at"] as? Int == resumedAt, sourceLocation: sourceLocation)
            #expect(event["size"] as? Int == content.count, sourceLocation: sourceLocation)
        }
        let left = try FileManager.default.contentsOfDirectory(atPath: inbox).filter { $0.hasSuffix(".part") }
        #expect(left.isEmpty, sourceLocation: sourceLocation)
    }
}

/// Kamailio as the relay that a client authenticates itself at.
final class KamailioRelay {
    static var isInstalled: Bool {
        KamailioProcess.isInstalled && FileManager.default.fileExists(atPath: "\(modules)/auth.so")
    }

    private static let modules = "/usr/lib/x86_64-linux-gnu/kamailio/modules"
    private let process: ChildProcess
    private let folder: TemporaryFolder
    let address: SocketAddress

    init(password: String) throws {
        folder = try TemporaryFolder()
        address = SocketAddress(host: "127.0.0.1", port: try StreamListener().port)
        let file = try folder.write(Self.configuration(address, password), to: "kamailio.cfg")
        process = try ChildProcess(
            Tool.path("kamailio") ?? "kamailio", ["-f", file, "-DD", "-E", "-m", "64", "-M", "8", "-Y", folder.path],
            folder: folder.path, name: "kamailio")
        let deadline = Deadline.after(seconds: 15)
        while (try? ByteStream(to: address, within: 1)) == nil {
            guard process.isRunning, !deadline.passed else {
                throw SupportError("kamailio does not start: \(process.standardError.suffix(2000))")
            }
            usleep(50_000)
        }
    }

    deinit {
        process.signal(SIGTERM)
        if (try? process.waitForExit(within: 5)) == nil { process.signal(SIGKILL) }
    }

    private static func configuration(_ address: SocketAddress, _ password: String) -> String {
        """
        #!KAMAILIO
        debug=1
        log_stderror=yes
        fork=yes
        children=1
        tcp_children=2
        disable_tls=yes
        auto_aliases=no
        listen=tcp:\(address)
        tcp_accept_no_cl=yes
        mpath="\(modules)"
        loadmodule "corex.so"
        loadmodule "pv.so"
        loadmodule "tm.so"
        loadmodule "sl.so"
        loadmodule "auth.so"
        loadmodule "msrp.so"
        request_route { exit; }
        event_route[msrp:frame-in] {
            msrp_reply_flags("1");
            if ($msrp(method) != "AUTH") { exit; }
            if (!pv_www_authenticate("\(RelayProcess.domain)", "\(password)", "0", "AUTH")) {
                if (auth_get_www_authenticate("\(RelayProcess.domain)", "1", "$var(wauth)")) {
                    msrp_reply("401", "Unauthorized", "$var(wauth)");
                }
                exit;
            }
            msrp_reply("200", "OK", "Use-Path: msrp://\(address)/granted;tcp\r\nExpires: 600\r\n");
        }

        """
    }
}
