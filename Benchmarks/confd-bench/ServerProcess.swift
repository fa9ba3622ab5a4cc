import Foundation

/// A server under test as a child process, and what /proc says about it.
final class ServerProcess {
    private let process = Process()
    private let output = Pipe()
    private let folder: URL?

    /// The line that said which ports are open.
    let readyLine: String

    /// A server of several processes: what is said of it is the sum over all of them.
    private let forks: Bool

    /// How it is known that the server answers.
    enum Readiness {
        /// It prints a line that begins so.
        case line(String)
        /// It prints nothing: /proc tells that the port of 127.0.0.1 is open.
        case listening(UInt16)
    }

    init(
        executable: String, arguments: [String], ready: Readiness, folder: URL? = nil, forks: Bool = false
    ) throws {
        self.folder = folder
        self.forks = forks
        // By way of this program, so that the server ends with us however we end.
        process.executableURL = URL(fileURLWithPath: try Self.ownPath())
        process.arguments = ["become", executable] + arguments
        if case .line = ready {
            process.standardOutput = output
        } else {
            process.standardOutput = FileHandle.nullDevice
            // Some servers say much about connections that end.
            process.standardError = FileHandle.nullDevice
        }
        do { try process.run() } catch { throw BenchError("\(executable) does not start: \(error)") }
        do {
            switch ready {
            case .line(let beginning): readyLine = try Self.line(beginning, of: executable, from: output)
            case .listening(let port):
                try Self.wait(for: port, of: executable, process)
                readyLine = ""
            }
        } catch {
            Self.end(process, forks: forks)
            if let folder { try? FileManager.default.removeItem(at: folder) }
            throw error
        }
    }

    static func ownPath() throws -> String {
        try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
    }

    private static func line(_ beginning: String, of executable: String, from output: Pipe) throws -> String {
        var line = [UInt8]()
        while true {
            // Ends at the child's death as well: its end of the pipe closes.
            let byte = output.fileHandleForReading.readData(ofLength: 1)
            guard let first = byte.first else { throw BenchError("\(executable) ended without `\(beginning)`") }
            if first != UInt8(ascii: "\n") {
                line.append(first)
                continue
            }
            let text = String(decoding: line, as: UTF8.self)
            if text.hasPrefix(beginning) { return text }
            line.removeAll()
        }
    }

    private static func wait(for port: UInt16, of executable: String, _ process: Process) throws {
        // 127.0.0.1 in the kernel's octet order, and the state LISTEN.
        let address = "0100007F:" + String(format: "%04X", port)
        for _ in 0..<500 {
            let table = (try? String(contentsOfFile: "/proc/net/tcp", encoding: .utf8)) ?? ""
            let open = table.split(separator: "\n").contains { line in
                let fields = line.split(separator: " ")
                return fields.count > 3 && fields[1] == address && fields[3] == "0A"
            }
            if open { return }
            guard process.isRunning else { break }
            usleep(20_000)
        }
        throw BenchError("\(executable) did not open port \(port)")
    }

    /// The fan-out program in C is this program itself under another command.
    static func fanout() throws -> (ServerProcess, Target) {
        let server = try ServerProcess(
            executable: try ownPath(), arguments: ["fanout"], ready: .line("cfanout ready:"))
        guard let port = server.readyLine.split(separator: "=").last.flatMap({ UInt16($0) }) else {
            throw BenchError("no port in `\(server.readyLine)`")
        }
        return (server, .fanout(msrpPort: port))
    }

    static func confd(executable: String) throws -> (ServerProcess, Target) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("confd-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let configuration = """
            [SIP]
            listen = udp:127.0.0.1:0
            domains = 127.0.0.1
            [MSRP]
            address = 127.0.0.1:0
            [Conference]
            adhoc_rooms = Yes
            state_directory = \(folder.path)
            [Log]
            level = error

            """
        let file = folder.appendingPathComponent("bench.ini")
        try configuration.write(to: file, atomically: true, encoding: .utf8)
        let server = try ServerProcess(
            executable: executable, arguments: ["serve", "--config-file", file.path],
            ready: .line("confd ready:"), folder: folder)
        // confd ready: sip=udp:127.0.0.1:5060,tcp:... msrp=127.0.0.1:2855 pid=1
        let address = server.readyLine.split(whereSeparator: { " ,=".contains($0) }).first { $0.hasPrefix("udp:") }
        guard let port = address?.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw BenchError("no UDP port in `\(server.readyLine)`")
        }
        return (server, .focus(sipPort: port))
    }

    func stop() {
        Self.end(process, forks: forks)
        if let folder { try? FileManager.default.removeItem(at: folder) }
    }

    /// SIGTERM, and SIGKILL to whatever of the server is still there five seconds later.
    private static func end(_ process: Process, forks: Bool) {
        let family = forks ? identifiers(of: process) : [process.processIdentifier]
        process.terminate()
        for _ in 0..<250 {
            if !process.isRunning { break }
            usleep(20_000)
        }
        if process.isRunning {
            for identifier in family { kill(identifier, SIGKILL) }
        }
        process.waitUntilExit()
    }

    /// The process and its descendants.
    private static func identifiers(of process: Process) -> [Int32] {
        var found = [process.processIdentifier]
        var parents = [(child: Int32, parent: Int32)]()
        for name in (try? FileManager.default.contentsOfDirectory(atPath: "/proc")) ?? [] {
            guard let child = Int32(name), let fields = stat(child), fields.count > 1, let parent = Int32(fields[1])
            else { continue }
            parents.append((child, parent))
        }
        var next = 0
        while next < found.count {
            found += parents.filter { $0.parent == found[next] }.map(\.child)
            next += 1
        }
        return found
    }

    /// What /proc/PID/stat says after the command's name, from the state (field 3) on.
    private static func stat(_ identifier: Int32) -> [Substring]? {
        guard let text = try? String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8),
            let parenthesis = text.lastIndex(of: ")")
        else { return nil }
        return Array(text[text.index(after: parenthesis)...].split(separator: " "))
    }

    private var identifiers: [Int32] { forks ? Self.identifiers(of: process) : [process.processIdentifier] }

    /// User and system time of all threads so far, in microseconds: the scheduler's nanoseconds where the kernel
    /// keeps them (threads that ended would be missing: the servers keep theirs), else clock ticks.
    func cpuMicroseconds() throws -> Double {
        try identifiers.map(Self.cpuMicroseconds(of:)).reduce(0, +)
    }

    private static func cpuMicroseconds(of identifier: Int32) throws -> Double {
        let tasks = "/proc/\(identifier)/task"
        var nanoseconds = 0.0
        for task in try FileManager.default.contentsOfDirectory(atPath: tasks) {
            guard let text = try? String(contentsOfFile: "\(tasks)/\(task)/schedstat", encoding: .utf8),
                let value = text.split(separator: " ").first.flatMap({ Double($0) })
            else { continue }
            nanoseconds += value
        }
        if nanoseconds > 0 { return nanoseconds / 1000 }
        // utime is field 14, stime 15.
        guard let fields = stat(identifier), fields.count > 12, let user = Double(fields[11]),
            let system = Double(fields[12])
        else { throw BenchError("unreadable stat of \(identifier)") }
        return (user + system) * 1_000_000 / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Resident memory in KiB. Of a server of several processes each page counts once, whoever shares it.
    func residentKiB() throws -> Double {
        try identifiers.map { identifier in
            let file = forks ? "/proc/\(identifier)/smaps_rollup" : "/proc/\(identifier)/status"
            let name = forks ? "Pss:" : "VmRSS:"
            let text = try String(contentsOfFile: file, encoding: .utf8)
            for line in text.split(separator: "\n") where line.hasPrefix(name) {
                let words = line.split(whereSeparator: { " \t".contains($0) })
                if words.count > 1, let value = Double(words[1]) { return value }
            }
            throw BenchError("no \(name) in \(file)")
        }.reduce(0, +)
    }
}
