package import NIOCore
package import Payloads

#if canImport(Glibc)
    import Glibc
#endif

/// Why a file can't be written or read: what was done, and what the system said.
package struct FileError: Error, Sendable, Equatable, CustomStringConvertible {
    package let description: String

    package init(_ what: String) { description = what }

    static func system(_ what: String) -> FileError { FileError("\(what): \(String(cString: strerror(errno)))") }
}

/// A file that comes in, `NAME.part` until it is complete. It grows at its end only and is hashed as it grows.
///
/// Calls block; one at a time.
package final class PartFile: @unchecked Sendable {
    // Unchecked: handed from the loop to a pool thread and back, and used by one of them at a time.

    /// Numbers tried until a name is found that is free.
    private static let mostNumbers = 10_000

    private let folder: String
    /// The sender's name for it, made safe.
    private let name: String
    package let partPath: String
    /// Octets in it.
    package private(set) var length: UInt64
    package private(set) var hash: RunningHash
    /// What it must hash to when it is whole; nil: nobody knows.
    private let expected: Fingerprint?
    private var descriptor: Int32

    private init(
        folder: String, name: String, partPath: String, descriptor: Int32, length: UInt64, hash: RunningHash,
        expected: Fingerprint? = nil
    ) {
        self.folder = folder
        self.name = name
        self.partPath = partPath
        self.descriptor = descriptor
        self.length = length
        self.hash = hash
        self.expected = expected
    }

    deinit { close() }

    /// A new part; a part of the same name that is there already is kept, and this one gets a number.
    package static func create(folder: String, name: String) throws(FileError) -> PartFile {
        for number in 0..<mostNumbers {
            let path = "\(folder)/\(FileName.numbered(name, number)).part"
            let descriptor = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
            if descriptor >= 0 {
                // So that another receiver in this folder doesn't go on with it meanwhile.
                _ = flock(descriptor, LOCK_EX | LOCK_NB)
                return PartFile(
                    folder: folder, name: name, partPath: path, descriptor: descriptor, length: 0, hash: RunningHash())
            }
            guard errno == EEXIST else { throw .system("can't create \(path)") }
        }
        throw FileError("there are too many parts of \(name) in \(folder)")
    }

    /// The part that an earlier session left, hashed; nil when there is none that is ours to go on with.
    /// - Parameter size: of the whole file. Of a part that is longer, or complete, all but the last octet counts, so that there
    ///   is something to send.
    package static func resume(folder: String, name: String, size: UInt64) -> PartFile? {
        let path = "\(folder)/\(name).part"
        let descriptor = open(path, O_RDWR | O_NOFOLLOW | O_CLOEXEC)
        guard descriptor >= 0 else { return nil }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == getuid(),
            status.st_size > 0, size > 1, UInt64(status.st_size) <= size, flock(descriptor, LOCK_EX | LOCK_NB) == 0
        else {
            Glibc.close(descriptor)
            return nil
        }
        let length = min(UInt64(status.st_size), size - 1)
        let hash = RunningHash()
        guard hash.update(descriptor, upTo: length) else {
            Glibc.close(descriptor)
            return nil
        }
        return PartFile(
            folder: folder, name: name, partPath: path, descriptor: descriptor, length: length, hash: hash)
    }

    /// The part of a file of which the hash is known: what an earlier session left of it, hashed, or a new one. The hash is in
    /// the part's name, so that it is gone on with by whoever wants the same octets, under whatever name.
    /// - Parameters:
    ///   - name: for the whole file.
    ///   - size: of the whole file; nil, and all of it is wanted again.
    package static func fetch(
        folder: String, name: String, expected: Fingerprint, size: UInt64?
    ) throws(FileError) -> PartFile {
        let path = "\(folder)/\(name).\(expected.digest.hexadecimal.prefix(12)).part"
        let descriptor = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o644)
        guard descriptor >= 0 else { throw .system("can't write \(path)") }
        var status = stat()
        var length: UInt64 = 0
        let hash = RunningHash(expected.hash)
        do throws(FileError) {
            guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_uid == getuid() else {
                throw FileError("\(path) is not ours to write")
            }
            guard flock(descriptor, LOCK_EX | LOCK_NB) == 0 else {
                throw FileError("\(path) is being written by somebody else")
            }
            if let size, size > 1, status.st_size > 0, UInt64(status.st_size) <= size {
                // Of a complete one the last octet is wanted again, so that there is something to send.
                length = min(UInt64(status.st_size), size - 1)
                guard hash.update(descriptor, upTo: length) else { throw FileError("can't read \(path)") }
            } else if ftruncate(descriptor, 0) != 0 {
                throw .system("can't write \(path)")
            }
        } catch {
            Glibc.close(descriptor)
            throw error
        }
        return PartFile(
            folder: folder, name: name, partPath: path, descriptor: descriptor, length: length, hash: hash,
            expected: expected)
    }

    /// Forgets what is in it: the sender sends all of the file.
    package func restart() throws(FileError) {
        guard ftruncate(descriptor, 0) == 0 else { throw .system("can't write \(partPath)") }
        length = 0
        hash = RunningHash(hash.function)
    }

    /// Takes it off the disk.
    package func discard() {
        guard descriptor >= 0 else { return }
        unlink(partPath)
        close()
    }

    /// Appends what came.
    package func append(_ bytes: ByteBuffer) throws(FileError) {
        var failed = false
        bytes.withUnsafeReadableBytes { octets in
            var rest = octets
            while rest.count > 0 {
                let count = pwrite(descriptor, rest.baseAddress, rest.count, off_t(length))
                if count > 0 {
                    length += UInt64(count)
                    hash.update(UnsafeRawBufferPointer(rebasing: rest[..<count]))
                    rest = UnsafeRawBufferPointer(rebasing: rest[count...])
                } else if errno != EINTR {
                    failed = true
                    return
                }
            }
        }
        if failed { throw .system("can't write \(partPath)") }
    }

    /// Gives the whole file its name, or the next free one with a number; it is on the disk then. One that is not the file
    /// that was expected is taken off the disk.
    /// - Returns: its path.
    package func complete() throws(FileError) -> String {
        if let expected, expected != hash.fingerprint {
            discard()
            throw FileError(
                "what came is not the file that was announced: its \(expected.hash.rawValue) is another one")
        }
        // What a longer part of an earlier session left behind the end.
        guard ftruncate(descriptor, off_t(length)) == 0, fsync(descriptor) == 0 else {
            throw .system("can't write \(partPath)")
        }
        for number in 0..<Self.mostNumbers {
            let free = expected == nil ? FileName.numbered(name, number) : FileName.copy(name, number)
            let path = "\(folder)/\(free)"
            // The name is taken first, by an empty file of our own, so that nothing is ever overwritten.
            let holder = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o600)
            guard holder >= 0 else {
                guard errno == EEXIST else { throw .system("can't create \(path)") }
                continue
            }
            Glibc.close(holder)
            guard rename(partPath, path) == 0 else {
                let error = FileError.system("can't rename \(partPath) to \(path)")
                unlink(path)
                throw error
            }
            syncFolder()
            close()
            return path
        }
        throw FileError("there are too many files named \(name) in \(folder)")
    }

    /// Leaves the part for the next session; an empty one goes away.
    package func keep() {
        guard descriptor >= 0 else { return }
        if length == 0 {
            unlink(partPath)
        } else {
            fsync(descriptor)
        }
        close()
    }

    private func syncFolder() {
        let descriptor = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        guard descriptor >= 0 else { return }
        fsync(descriptor)
        Glibc.close(descriptor)
    }

    private func close() {
        if descriptor >= 0 { Glibc.close(descriptor) }
        descriptor = -1
    }
}

extension RunningHash {
    /// Hashes a file's first octets; false when there are fewer or they can't be read.
    func update(_ descriptor: Int32, upTo length: UInt64) -> Bool {
        var piece = [UInt8](repeating: 0, count: 256 << 10)
        var offset: UInt64 = 0
        while offset < length {
            let wanted = Int(min(UInt64(piece.count), length - offset))
            let count = pread(descriptor, &piece, wanted, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count > 0 else { return false }
            piece.withUnsafeBytes { update(UnsafeRawBufferPointer(rebasing: $0[..<count])) }
            offset += UInt64(count)
        }
        return true
    }
}
