import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("confd status")
    struct StatusTests {
        private func status(_ arguments: String...) throws -> Tool.Result {
            try Tool.run(ConfdProcess.executable, ["status"] + arguments)
        }

        private func json(_ text: String) throws -> [String: Any] {
            #expect(text.split(separator: "\n").count == 1)
            guard let object = try JSONSerialization.jsonObject(with: Data(text.utf8)) as? [String: Any] else {
                throw SupportError("no object: \(text)")
            }
            return object
        }

        @Test("a relay tells of its sessions, bytes, AUTH outcomes and connections, in text and in JSON")
        func relay() throws {
            let relay = try RelayProcess()
            let alice = try RawRelayClient(to: relay.address)
            #expect(try alice.authenticate(as: "alice").status == 200)
            let wrong = try RawRelayClient(to: relay.address)
            #expect(try wrong.authenticate(as: "bob", password: "wrong").status == 403)

            let text = try status("--config-file", relay.configurationFile)
            #expect(text.exit == .exited(0))
            for part in [
                "process \(relay.process.identifier)", "connections", "AUTH outcomes", "200 OK", "401 challenged",
                "403 forbidden", "alice@example.com", "msrp: \(relay.address)",
            ] {
                #expect(text.output.contains(part), "\(part) in \(text.output)")
            }
            let object = try json(try status("--json", "--config-file", relay.configurationFile).output)
            #expect(object["pid"] as? Int == Int(relay.process.identifier))
            #expect(object["rooms"] == nil)
            let counters = (object["relay"] as? [String: Any])?["counters"] as? [String: Any]
            #expect(counters?["sessions"] as? Int == 1)
            #expect(counters?["authOutcomes"] as? [String: Int] == ["200": 1, "401": 2, "403": 1])
            #expect((object["transport"] as? [String: Any])?["connectionsAccepted"] as? Int == 2)
        }

        @Test("a conference server tells of rooms and participants")
        func rooms() throws {
            let confd = try ConfdProcess()
            let members = try ["a", "b"].map { try Participant($0, in: "sip:lobby@127.0.0.1", of: confd) }
            let object = try json(try status("--json", "--config-file", confd.configurationFile).output)
            let rooms = object["rooms"] as? [String: Any]
            #expect(rooms?["rooms"] as? Int == 1)
            #expect(rooms?["members"] as? Int == members.count)
            #expect((object["sip"] as? [String: Any])?["calls"] as? Int == members.count)
            #expect(object["relay"] == nil)
            let text = try status("--config-file", confd.configurationFile).output
            #expect(text.contains("participants"))
            withExtendedLifetime(members) {}
        }

        @Test("it says when confd is not running: before, after, and after it was killed")
        func notRunning() throws {
            let folder = try TemporaryFolder()
            let setting = "Conference.state_directory=\(folder.path)"
            let never = try status("--set", setting)
            #expect(never.exit == .exited(3))
            #expect(never.errors.contains("confd is not running"))
            #expect(never.output == "")

            let confd = try ConfdProcess()
            let arguments = ["status", "--config-file", confd.configurationFile]
            #expect(try Tool.run(ConfdProcess.executable, arguments).exit == .exited(0))
            confd.process.signal(SIGKILL)
            _ = try confd.process.waitForExit(within: 10)
            let socket = "\(confd.folder.path)/state/control.sock"
            #expect(FileManager.default.fileExists(atPath: socket))
            #expect(try Tool.run(ConfdProcess.executable, arguments).exit == .exited(3))

            // What the dead one left is no obstacle to the next.
            let next = try ChildProcess(
                ConfdProcess.executable, ["serve", "--config-file", confd.configurationFile], folder: folder.path,
                name: "next")
            _ = try next.line(startingWith: "confd ready:", within: 20)
            #expect(try Tool.run(ConfdProcess.executable, arguments).exit == .exited(0))
            next.signal(SIGTERM)
            #expect(try next.waitForExit(within: 10) == .exited(0))
            #expect(!FileManager.default.fileExists(atPath: socket))
        }

        @Test("a second server with the same state directory leaves the first one's socket alone, and says so")
        func notStolen() throws {
            let first = try ConfdProcess()
            let folder = try TemporaryFolder()
            let second = try ChildProcess(
                ConfdProcess.executable, ["serve", "--config-file", first.configurationFile], folder: folder.path,
                name: "second")
            _ = try second.line(startingWith: "confd ready:", within: 20)
            #expect(second.standardError.contains("another confd runs with this state directory"))
            func pid() throws -> Int? {
                try json(try status("--json", "--config-file", first.configurationFile).output)["pid"] as? Int
            }
            #expect(try pid() == Int(first.process.identifier))
            second.signal(SIGTERM)
            #expect(try second.waitForExit(within: 10) == .exited(0))
            #expect(try pid() == Int(first.process.identifier))
        }

        @Test("only the owner may connect, and what comes in by the socket is bounded")
        func guards() throws {
            let confd = try ConfdProcess()
            let path = "\(confd.folder.path)/state/control.sock"
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? NSNumber
            #expect(mode?.intValue == 0o600)

            func exchange(_ request: String) throws -> String {
                let socket = try UnixStream(path)
                try socket.send(request)
                return try socket.line()
            }
            #expect(try exchange("nonsense\n").contains("the request is not"))
            #expect(try exchange("{\"command\":\"explode\"}\n").contains("the command 'explode' is not known"))
            #expect(try exchange("{\"command\":[]}\n").contains("the request is not"))
            #expect(try exchange(String(repeating: "x", count: (512 << 10) + 1)).contains("the request is too long"))
            #expect(try exchange("{\"command\":\"status\"}\ntrailing").contains("\"status\":{"))

            // Connections that say nothing delay others until their time is over, and no longer.
            let idle = try (0..<40).map { _ in try UnixStream(path) }
            #expect(try status("--config-file", confd.configurationFile).exit == .exited(0))
            withExtendedLifetime(idle) {}
        }

        @Test("a state directory whose path is too long for a socket costs only the status")
        func longPath() throws {
            let folder = try TemporaryFolder()
            let state = folder.path + "/" + String(repeating: "x", count: 100)
            let file = try folder.write(
                ConfdProcess.configuration(["Conference": ["state_directory": state]], folder: folder.path),
                to: "confd.ini")
            let child = try ChildProcess(
                ConfdProcess.executable, ["serve", "--config-file", file], folder: folder.path, name: "confd")
            _ = try child.line(startingWith: "confd ready:", within: 20)
            #expect(child.standardError.contains("the control socket's path is too long"))
            let result = try status("--config-file", file)
            #expect(result.exit == .exited(1))
            #expect(result.errors.contains("too long"))
            child.signal(SIGTERM)
            #expect(try child.waitForExit(within: 10) == .exited(0))
        }
    }
}

/// A client of a unix-domain socket.
private final class UnixStream {
    private let descriptor: Int32

    init(_ path: String) throws {
        descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let length = socklen_t(MemoryLayout<sockaddr_un>.size)
        let result = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { connect(descriptor, $0, length) }
        }
        guard result == 0 else { throw SupportError("no connection to \(path): \(errno)") }
    }

    deinit { close(descriptor) }

    func send(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Foundation.send(descriptor, bytes, bytes.count, Int32(MSG_NOSIGNAL)) == bytes.count else {
            throw SupportError("not sent")
        }
    }

    /// All that comes until the server closes.
    func line() throws -> String {
        var all: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 4096)
        while true {
            var wait = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&wait, 1, 10_000) == 1 else { throw SupportError("no answer") }
            let count = read(descriptor, &buffer, buffer.count)
            if count <= 0 { return String(decoding: all, as: UTF8.self) }
            all += buffer[..<count]
        }
    }
}
