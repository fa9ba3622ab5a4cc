#if canImport(Glibc)
    internal import Glibc
#endif

/// Which file a path leads to: after another one was moved to its place, this differs.
struct FileIdentity: Sendable, Equatable {
    private let device: UInt64
    private let inode: UInt64

    /// Nil: there is none.
    init?(path: String) {
        var information = stat()
        guard stat(path, &information) == 0 else { return nil }
        device = UInt64(information.st_dev)
        inode = UInt64(information.st_ino)
    }

    /// Says why a file can't be read, if the system says so; nil: it can.
    static func obstacle(path: String) -> StoreError? {
        var information = stat()
        guard stat(path, &information) == 0 else {
            let reason = errno
            guard reason == ENOENT || reason == ENOTDIR else {
                return StoreError(
                    "the file '\(path)' can't be reached: \(text(reason)); confd runs as \(user(geteuid()))",
                    option: .uri)
            }
            return StoreError(
                "there is no file '\(path)'; make it, or name the one that has the subscriber table", option: .uri)
        }
        guard information.st_mode & S_IFMT == S_IFREG else {
            return StoreError("'\(path)' is not a file", option: .uri)
        }
        guard access(path, R_OK) == 0 else {
            return StoreError(
                "the file '\(path)' can't be read: \(text(errno)); it belongs to \(user(information.st_uid)) with mode "
                    + "\(String(information.st_mode & 0o777, radix: 8)), and confd runs as \(user(geteuid()))",
                option: .uri)
        }
        return nil
    }

    private static func text(_ code: Int32) -> String { String(cString: strerror(code)) }

    private static func user(_ identifier: uid_t) -> String {
        var entry = passwd()
        var result: UnsafeMutablePointer<passwd>?
        var buffer = [CChar](repeating: 0, count: 4096)
        guard getpwuid_r(identifier, &entry, &buffer, buffer.count, &result) == 0, result != nil,
            let name = entry.pw_name
        else { return "user \(identifier)" }
        return String(cString: name)
    }
}
