import Glibc

/// Small files that may hold keys: read whole, written so that a reader sees the old or the new content.
enum PrivateFile {
    /// Certificates and keys are small; a larger file is a mistake in the configuration.
    static let largest = 1 << 20

    static func read(_ path: String) throws(CertificateError) -> [UInt8] {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else {
            throw errno == ENOENT ? .notFound(file: path) : .unreadable(file: path, reason: reason())
        }
        defer { close(descriptor) }
        var content: [UInt8] = []
        var chunk = [UInt8](repeating: 0, count: 16384)
        while true {
            let count = Glibc.read(descriptor, &chunk, chunk.count)
            if count == 0 { return content }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw .unreadable(file: path, reason: reason())
            }
            content.append(contentsOf: chunk.prefix(count))
            guard content.count <= largest else { throw .unreadable(file: path, reason: "larger than 1 MiB") }
        }
    }

    /// Writes beside the file, then renames over it. `mode` is 0o600 for what holds a key.
    static func write(_ content: [UInt8], to path: String, mode: mode_t) throws(CertificateError) {
        let temporary = "\(path).\(UInt64.random(in: 0 ... .max)).tmp"
        let descriptor = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode)
        guard descriptor >= 0 else { throw .unwritable(file: path, reason: reason()) }
        var failure: String?
        var rest = content[...]
        while failure == nil, !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            if count >= 0 {
                rest = rest.dropFirst(count)
            } else if errno != EINTR {
                failure = reason()
            }
        }
        // The umask may have taken bits away that other programs need to read a certificate.
        if failure == nil, fchmod(descriptor, mode) != 0 || fsync(descriptor) != 0 { failure = reason() }
        close(descriptor)
        if failure == nil, rename(temporary, path) != 0 { failure = reason() }
        if let failure {
            unlink(temporary)
            throw .unwritable(file: path, reason: failure)
        }
    }

    /// Makes a folder and those above it, for this user alone.
    static func makeDirectory(_ path: String) throws(CertificateError) {
        if mkdir(path, 0o700) == 0 || errno == EEXIST { return }
        let parent = path.split(separator: "/", omittingEmptySubsequences: true).dropLast().joined(separator: "/")
        guard errno == ENOENT, !parent.isEmpty else { throw .unwritable(file: path, reason: reason()) }
        try makeDirectory(path.hasPrefix("/") ? "/" + parent : parent)
        guard mkdir(path, 0o700) == 0 || errno == EEXIST else { throw .unwritable(file: path, reason: reason()) }
    }

    private static func reason() -> String {
        String(cString: strerror(errno))
    }
}
