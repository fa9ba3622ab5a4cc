import Foundation

/// A child process whose output lands in files of its own folder, so that nothing has to be read along.
package final class ChildProcess: @unchecked Sendable {
    // Unchecked: one thread uses it at a time; the lock guards the exit status against a late `deinit`.
    package enum Exit: Equatable, Sendable {
        case exited(Int32)
        case killed(signal: Int32)
    }

    package let identifier: Int32
    private let output: String
    private let errors: String
    private var input: Int32
    private var result: Exit?

    /// `executable` is a path. With `hasInput`, standard input is a pipe (`write`, `closeInput`), else /dev/null.
    package init(
        _ executable: String, _ arguments: [String], folder: String, name: String, hasInput: Bool = false,
        environment: [String: String] = [:]
    ) throws {
        output = "\(folder)/\(name).out"
        errors = "\(folder)/\(name).err"
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        var pipe: (read: Int32, write: Int32) = (-1, -1)
        if hasInput {
            var ends: [Int32] = [-1, -1]
            guard Foundation.pipe(&ends) == 0 else { throw SupportError("no pipe") }
            pipe = (ends[0], ends[1])
            for end in ends { _ = fcntl(end, F_SETFD, FD_CLOEXEC) }
            posix_spawn_file_actions_adddup2(&actions, pipe.read, 0)
        } else {
            posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0)
        }
        input = pipe.write
        posix_spawn_file_actions_addopen(&actions, 1, output, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600)
        posix_spawn_file_actions_addopen(&actions, 2, errors, O_WRONLY | O_CREAT | O_TRUNC | O_APPEND, 0o600)
        // Sockets of other tests must not live on in the child. Closing what is closed already is no error.
        for name in try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd") {
            if let descriptor = Int32(name), descriptor > 2 {
                posix_spawn_file_actions_addclose(&actions, descriptor)
            }
        }

        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        // The test process ignores SIGPIPE; the child starts as a shell would start it.
        var defaults = sigset_t()
        sigemptyset(&defaults)
        for number in [SIGPIPE, SIGTERM, SIGINT, SIGHUP] { sigaddset(&defaults, number) }
        posix_spawnattr_setsigdefault(&attributes, &defaults)
        var mask = sigset_t()
        sigemptyset(&mask)
        posix_spawnattr_setsigmask(&attributes, &mask)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        var variables = ProcessInfo.processInfo.environment
        variables.merge(environment) { $1 }
        var child: pid_t = 0
        var argv = ([executable] + arguments).map { strdup($0) } + [nil]
        var envp = variables.map { strdup("\($0)=\($1)") } + [nil]
        defer { (argv + envp).forEach { free($0) } }
        let code = posix_spawn(&child, executable, &actions, &attributes, &argv, &envp)
        if hasInput { close(pipe.read) }
        guard code == 0 else { throw SupportError("\(executable) does not start: \(String(cString: strerror(code)))") }
        identifier = child
    }

    deinit {
        if result == nil {
            kill(identifier, SIGKILL)
            var status: Int32 = 0
            waitpid(identifier, &status, 0)
        }
        if input >= 0 { close(input) }
    }

    package var standardOutput: String { Self.contents(output) }
    package var standardError: String { Self.contents(errors) }

    private static func contents(_ path: String) -> String {
        String(decoding: FileManager.default.contents(atPath: path) ?? Data(), as: UTF8.self)
    }

    package func write(_ text: String) throws {
        let bytes = Array(text.utf8)
        guard Foundation.write(input, bytes, bytes.count) == bytes.count else {
            throw SupportError("the child reads no input")
        }
    }

    package func closeInput() {
        if input >= 0 { close(input) }
        input = -1
    }

    package func signal(_ number: Int32) {
        if result == nil { kill(identifier, number) }
    }

    package var isRunning: Bool { exitIfAny() == nil }

    private func exitIfAny() -> Exit? {
        if let result { return result }
        var status: Int32 = 0
        guard waitpid(identifier, &status, WNOHANG) == identifier else { return nil }
        let signal = status & 0x7f
        result = signal == 0 ? .exited((status >> 8) & 0xff) : .killed(signal: signal)
        return result
    }

    /// How it ended; throws when it still runs at the deadline.
    package func waitForExit(within seconds: Double) throws -> Exit {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            if let exit = exitIfAny() { return exit }
            if deadline.passed { throw SupportError("process \(identifier) still runs after \(seconds) s") }
            usleep(5_000)
        }
    }

    /// The first line of standard output (or error) that has the prefix.
    package func line(startingWith prefix: String, onError: Bool = false, within seconds: Double) throws -> String {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            let ended = exitIfAny()
            let text = onError ? standardError : standardOutput
            // Only whole lines: the last piece may still be growing.
            let lines = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
            if let line = lines.first(where: { $0.hasPrefix(prefix) }) { return String(line) }
            if let ended { throw SupportError("ended with \(ended) before `\(prefix)`: \(standardError.suffix(2000))") }
            if deadline.passed { throw SupportError("no `\(prefix)`: \(text) \(standardError.suffix(2000))") }
            usleep(5_000)
        }
    }

    /// Resident memory in KiB.
    package func residentKiB() throws -> Int {
        let status = try String(contentsOfFile: "/proc/\(identifier)/status", encoding: .utf8)
        for line in status.split(separator: "\n") where line.hasPrefix("VmRSS:") {
            let words = line.split(whereSeparator: { " \t".contains($0) })
            if words.count > 1, let value = Int(words[1]) { return value }
        }
        throw SupportError("no VmRSS of process \(identifier)")
    }

    /// Processor time that it has used, in seconds.
    package func processorSeconds() throws -> Double {
        let stat = try String(contentsOfFile: "/proc/\(identifier)/stat", encoding: .utf8)
        // The name in parentheses may have blanks; utime and stime are the 14th and 15th fields.
        let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
        guard fields.count > 13, let user = Double(fields[12]), let system = Double(fields[13]) else {
            throw SupportError("no times of process \(identifier)")
        }
        return (user + system) / Double(sysconf(Int32(_SC_CLK_TCK)))
    }

    /// Open descriptors.
    package func descriptorCount() throws -> Int {
        try FileManager.default.contentsOfDirectory(atPath: "/proc/\(identifier)/fd").count
    }
}
