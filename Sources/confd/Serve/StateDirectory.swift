internal import FoundationEssentials

#if canImport(Glibc)
    internal import Glibc
#endif

/// The folder for what outlives the process: generated certificate, later database and spool.
enum StateDirectory {
    /// The configured folder, made when missing; for its owner only, because keys lie there.
    static func prepare(_ configured: String?) throws(StartError) -> String {
        let path = configured ?? standard
        do {
            try FileManager.default.createDirectory(
                atPath: path, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            throw StartError("Conference", "state_directory", "the folder '\(path)' can't be made: \(lastError)")
        }
        guard access(path, W_OK | X_OK) == 0 else {
            throw StartError("Conference", "state_directory", "the folder '\(path)' can't be written to: \(lastError)")
        }
        return path
    }

    /// The system's for root and for the user that it was made for, so that commands run by hand find it too.
    static var standard: String {
        let system = "/var/lib/confd"
        if geteuid() == 0 || access(system, W_OK | X_OK) == 0 { return system }
        let home = getenv("HOME").map { String(cString: $0) } ?? "."
        return "\(home)/.local/state/confd"
    }

    private static var lastError: String { String(cString: strerror(errno)) }
}
