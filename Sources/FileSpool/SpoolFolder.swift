#if canImport(Glibc)
    internal import Glibc
#endif

/// The folder of a spool. All its calls may block.
///
/// A file has its id as name, and `.part` behind it until it is whole. Ids are random, so no name says anything of a peer.
struct SpoolFolder: Sendable {
    let path: String

    static let idDigits = 32
    private static let partSuffix = ".part"

    /// Makes it if it isn't there, for its owner only.
    init(path: String) throws(SpoolRefusal) {
        self.path = path
        var information = stat()
        if stat(path, &information) != 0 {
            guard errno == ENOENT, mkdir(path, 0o700) == 0 else {
                throw Self.error("the folder '\(path)' can't be made")
            }
            return
        }
        guard information.st_mode & S_IFMT == S_IFDIR else { throw .disk("'\(path)' is no folder") }
        // It is ours alone, whatever was there before.
        if information.st_mode & 0o077 != 0, chmod(path, 0o700) != 0 {
            throw Self.error("others may read '\(path)', and that can't be changed")
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else { throw Self.error("the folder '\(path)' can't be written") }
    }

    static func newID() -> String {
        let digits = Array("0123456789abcdef".utf8)
        var generator = SystemRandomNumberGenerator()
        return String(
            decoding: (0..<idDigits).map { _ in digits[Int.random(in: 0..<16, using: &generator)] }, as: UTF8.self)
    }

    func place(_ id: String) -> String { "\(path)/\(id)" }
    func partial(_ id: String) -> String { "\(path)/\(id)\(Self.partSuffix)" }

    struct Entry: Equatable {
        let id: String
        let isPartial: Bool
        let size: Int
    }

    /// What is there of a spool; other files are none of its business.
    func entries() throws(SpoolRefusal) -> [Entry] {
        guard let folder = opendir(path) else { throw Self.error("the folder '\(path)' can't be read") }
        defer { closedir(folder) }
        var found: [Entry] = []
        while true {
            errno = 0
            guard let entry = readdir(folder) else {
                if errno != 0 { throw Self.error("the folder '\(path)' can't be read") }
                break
            }
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            let isPartial = name.hasSuffix(Self.partSuffix)
            let id = isPartial ? String(name.dropLast(Self.partSuffix.count)) : name
            var information = stat()
            guard Self.isID(id), lstat("\(path)/\(name)", &information) == 0,
                information.st_mode & S_IFMT == S_IFREG
            else { continue }
            found.append(Entry(id: id, isPartial: isPartial, size: Int(information.st_size)))
        }
        return found
    }

    static func isID(_ text: String) -> Bool {
        text.utf8.count == idDigits
            && text.utf8.allSatisfy {
                (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0)
                    || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains($0)
            }
    }

    func create(_ id: String) throws(SpoolRefusal) -> CInt {
        let descriptor = open(partial(id), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0o600)
        guard descriptor >= 0 else { throw Self.error("a file can't be made in '\(path)'") }
        return descriptor
    }

    func openForReading(_ id: String) throws(SpoolRefusal) -> CInt {
        let descriptor = open(place(id), O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else {
            if errno == ENOENT { throw .noSuchFile }
            throw Self.error("a file can't be read in '\(path)'")
        }
        return descriptor
    }

    /// The file has all its octets: from now on it has its own name, on the disk as well.
    func complete(_ id: String, descriptor: CInt) throws(SpoolRefusal) {
        guard fsync(descriptor) == 0 else { throw Self.error("a file can't be written in '\(path)'") }
        guard rename(partial(id), place(id)) == 0 else { throw Self.error("a file can't be renamed in '\(path)'") }
        let folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard folder >= 0 else { throw Self.error("the folder '\(path)' can't be read") }
        defer { close(folder) }
        guard fsync(folder) == 0 else { throw Self.error("the folder '\(path)' can't be written") }
    }

    /// Removes the file, whole or not.
    func remove(_ id: String) {
        unlink(place(id))
        unlink(partial(id))
    }

    static func write(_ bytes: UnsafeRawBufferPointer, to descriptor: CInt, at offset: Int) throws(SpoolRefusal) {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = pwrite(descriptor, base + done, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { throw error("a file can't be written") }
            done += count
        }
    }

    /// - Returns: how many octets were read; fewer than asked for only at the end of the file.
    static func read(
        into bytes: UnsafeMutableRawBufferPointer, from descriptor: CInt, at offset: Int
    ) throws(SpoolRefusal) -> Int {
        var done = 0
        while done < bytes.count, let base = bytes.baseAddress {
            let count = pread(descriptor, base + done, bytes.count - done, off_t(offset + done))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw error("a file can't be read") }
            if count == 0 { break }
            done += count
        }
        return done
    }

    static func shut(_ descriptor: CInt) { close(descriptor) }

    private static func error(_ what: String) -> SpoolRefusal { .disk("\(what): \(String(cString: strerror(errno)))") }
}
