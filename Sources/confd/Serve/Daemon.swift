#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd serve --daemon`: the server in a process of its own, detached from terminal and session.
///
/// A fork would copy this process in the middle of whatever its threads do, so the program is started again instead,
/// in a session of its own. Its standard output and error are a pipe until it is ready: what it says goes to the
/// caller, who ends with success when the ready line has come and with failure when the pipe closes without one. The
/// working directory stays, because relative paths must mean the same when the configuration is read again.
enum Daemon {
    /// Where the detached process finds the standard error it was started with.
    static let originalErrors: Int32 = 3
    /// What starts the line that tells success.
    private static let ready = "confd ready:"
    /// POSIX_SPAWN_SETSID, which glibc's header hides from Swift.
    private static let newSession: Int16 = 0x80
    /// Larger than all that a start says.
    private static let longestLine = 64 * 1024

    /// Starts the detached process, and returns when it is ready (0) or has ended (1).
    /// - Parameter arguments: those of this process, without its name, and the one that tells the other what it is.
    static func start(arguments: [String]) -> Int32 {
        var ends: [Int32] = [-1, -1]
        guard pipe(&ends) == 0 else { return fail("no pipe") }
        _ = fcntl(ends[0], F_SETFD, FD_CLOEXEC)
        // Out of the way of the numbers that the new process uses.
        let writing = fcntl(ends[1], F_DUPFD_CLOEXEC, 16)
        close(ends[1])
        guard writing >= 0 else { return fail("no pipe") }
        let child = spawn(arguments, output: writing)
        close(writing)
        guard let child else { return 1 }
        let isReady = relay(from: ends[0])
        if isReady { return 0 }
        var status: Int32 = 0
        while waitpid(child, &status, 0) < 0, errno == EINTR {}
        let signal = status & 0x7F
        if signal != 0 { StandardError.write("confd: ended by signal \(signal) before it was ready") }
        return 1
    }

    /// In the detached process, once it is ready: lets the caller go.
    /// - Parameter keepsErrors: whether log lines go to the caller's standard error.
    static func detach(keepsErrors: Bool) {
        let nothing = open("/dev/null", O_RDWR | O_CLOEXEC)
        dup2(nothing, STDOUT_FILENO)
        dup2(keepsErrors ? originalErrors : nothing, STDERR_FILENO)
        close(originalErrors)
        close(nothing)
    }

    private static func fail(_ what: String) -> Int32 {
        StandardError.write("confd: can't start the daemon: \(what): \(String(cString: strerror(errno)))")
        return 1
    }

    private static func spawn(_ arguments: [String], output: Int32) -> pid_t? {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        posix_spawn_file_actions_adddup2(&actions, STDERR_FILENO, originalErrors)
        posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0)
        posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO)
        posix_spawn_file_actions_adddup2(&actions, output, STDERR_FILENO)
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        posix_spawnattr_setflags(&attributes, newSession)
        var words = ([CommandLine.arguments.first ?? "confd"] + arguments).map { strdup($0) } + [nil]
        defer { for word in words { free(word) } }
        var child: pid_t = 0
        let result = posix_spawn(&child, program, &actions, &attributes, &words, environ)
        if result == 0 { return child }
        errno = result
        _ = fail("it does not start")
        return nil
    }

    /// The file of this program; by its own name where it is still there, so that the process is called after it.
    private static var program: String {
        let link = "/proc/self/exe"
        var path = [CChar](repeating: 0, count: Int(PATH_MAX) + 1)
        guard readlink(link, &path, path.count - 1) > 0, access(path, X_OK) == 0 else { return link }
        return String(decoding: path.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
    }

    /// Passes on what comes until the other end is closed: to standard error, from the ready line on to standard
    /// output. True when that line came.
    private static func relay(from descriptor: Int32) -> Bool {
        var pending: [UInt8] = []
        var isReady = false
        var buffer = [UInt8](repeating: 0, count: 4096)
        func pass(_ line: ArraySlice<UInt8>) {
            let text = String(decoding: line, as: UTF8.self)
            isReady = isReady || text.hasPrefix(ready)
            if isReady { StandardOutput.write(text + "\n") } else { StandardError.write(text) }
        }
        while true {
            let count = read(descriptor, &buffer, buffer.count)
            if count < 0, errno == EINTR { continue }
            if count <= 0 { break }
            pending += buffer[..<count]
            while let end = pending.firstIndex(of: UInt8(ascii: "\n")) {
                pass(pending[..<end])
                pending.removeFirst(end + 1)
            }
            if pending.count > longestLine {
                pass(pending[...])
                pending = []
            }
        }
        if !pending.isEmpty { pass(pending[...]) }
        close(descriptor)
        return isReady
    }
}
