import Foundation

/// A server under test as a child process, and what /proc says about it.
final class ServerProcess {
    private let process = Process()
    private let output = Pipe()
    private let folder: URL?

    /// The line that said which ports are open.
    let readyLine: String

    private init(executable: String, arguments: [String], ready: String, folder: URL?) throws {
        self.folder = folder
        process.executableURL = URL(fileURLWithPath: executable)
        process.arguments = arguments
        process.standardOutput = output
        do { try process.run() } catch { throw BenchError("\(executable) does not start: \(error)") }
        var line = [UInt8]()
        var found: String?
        while found == nil {
            // Ends at the child's death as well: its end of the pipe closes.
            let byte = output.fileHandleForReading.readData(ofLength: 1)
            guard let first = byte.first else { break }
            if first != UInt8(ascii: "\n") {
                line.append(first)
                continue
            }
            let text = String(decoding: line, as: UTF8.self)
            if text.hasPrefix(ready) { found = text }
            line.removeAll()
        }
        guard let found else { throw BenchError("\(executable) ended without `\(ready)`") }
        readyLine = found
    }

    /// The fan-out program in C is this program itself under another command.
    static func fanout() throws -> (ServerProcess, Target) {
        let own = try FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")
        let server = try ServerProcess(executable: own, arguments: ["fanout"], ready: "cfanout ready:", folder: nil)
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
            executable: executable, arguments: ["serve", "--config-file", file.path], ready: "confd ready:",
            folder: folder)
        // confd ready: sip=udp:127.0.0.1:5060,tcp:... msrp=127.0.0.1:2855 pid=1
        let address = server.readyLine.split(whereSeparator: { " ,=".contains($0) }).first { $0.hasPrefix("udp:") }
        guard let port = address?.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            throw BenchError("no UDP port in `\(server.readyLine)`")
        }
        return (server, .focus(sipPort: port))
    }

    func stop() {
        process.terminate()
        process.waitUntilExit()
        if let folder { try? FileManager.default.removeItem(at: folder) }
    }

    /// User and system time of all threads so far, in microseconds: the scheduler's nanoseconds where the kernel
    /// keeps them (threads that ended would be missing: both servers keep theirs), else clock ticks.
    func cpuMicroseconds() throws -> Double {
        let tasks = "/proc/\(process.processIdentifier)/task"
        var nanoseconds = 0.0
        for task in try FileManager.default.contentsOfDirectory(atPath: tasks) {
            guard let text = try? String(contentsOfFile: "\(tasks)/\(task)/schedstat", encoding: .utf8),
                let value = text.split(separator: " ").first.flatMap({ Double($0) })
            else { continue }
            nanoseconds += value
        }
        if nanoseconds > 0 { return nanoseconds / 1000 }
        let stat = try String(contentsOfFile: "/proc/\(process.processIdentifier)/stat", encoding: .utf8)
        // After the command name in parentheses: state is field 3, utime 14, stime 15.
        guard let parenthesis = stat.lastIndex(of: ")") else { throw BenchError("unreadable stat: \(stat)") }
        let fields = stat[parenthesis...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
            throw BenchError("unreadable stat: \(stat)")
        }
        return (user + system) * 1_000_000 / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Resident memory in KiB.
    func residentKiB() throws -> Double {
        let status = try String(contentsOfFile: "/proc/\(process.processIdentifier)/status", encoding: .utf8)
        for line in status.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            let words = line.split(whereSeparator: { " \t".contains($0) })
            if words.count > 1, let value = Double(words[1]) { return value }
        }
        throw BenchError("no VmRSS")
    }
}
