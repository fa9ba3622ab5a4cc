#if canImport(Glibc)
    internal import Glibc
#endif

/// A file with the server's process id, locked as long as it runs: who can't lock it is a second instance.
final class PIDFile: Sendable {
    private let path: String
    private let descriptor: Int32

    /// Writes the process id of this process.
    static func take(_ path: String) throws(StartError) -> PIDFile {
        // A file that its owner removed between our opening and locking it locks nobody out; then again.
        for _ in 0..<10 {
            let descriptor = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0o644)
            guard descriptor >= 0 else { throw StartError("the pid file '\(path)' can't be written: \(lastError)") }
            if flock(descriptor, LOCK_EX | LOCK_NB) != 0 {
                let other = text(of: descriptor)
                close(descriptor)
                throw StartError(
                    "confd runs already\(other.isEmpty ? "" : " as process \(other)") (pid file '\(path)'); end it first, "
                        + "or start this one with another --pid-file")
            }
            var own = stat()
            var named = stat()
            if fstat(descriptor, &own) == 0, stat(path, &named) == 0, own.st_ino == named.st_ino {
                let line = Array("\(getpid())\n".utf8)
                guard ftruncate(descriptor, 0) == 0, pwrite(descriptor, line, line.count, 0) == line.count else {
                    let reason = lastError
                    close(descriptor)
                    throw StartError("the pid file '\(path)' can't be written: \(reason)")
                }
                return PIDFile(path: path, descriptor: descriptor)
            }
            close(descriptor)
        }
        throw StartError("the pid file '\(path)' can't be locked")
    }

    private init(path: String, descriptor: Int32) {
        self.path = path
        self.descriptor = descriptor
    }

    /// At the end of the server.
    func remove() { unlink(path) }

    deinit { close(descriptor) }

    private static func text(of descriptor: Int32) -> String {
        var bytes = [UInt8](repeating: 0, count: 16)
        let count = pread(descriptor, &bytes, bytes.count, 0)
        let digits = bytes.prefix(max(0, count)).prefix { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        return String(decoding: digits, as: UTF8.self)
    }

    private static var lastError: String { String(cString: strerror(errno)) }
}
