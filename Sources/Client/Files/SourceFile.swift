package import NIOCore
package import Payloads

#if canImport(Glibc)
    import Glibc
#endif

/// A file that is sent, read front to back and hashed as it is read.
///
/// Calls block; one at a time.
package final class SourceFile: @unchecked Sendable {
    // Unchecked: handed from the loop to a pool thread and back, and used by one of them at a time.

    package let path: String
    package let name: String
    package let size: UInt64
    private var hash = RunningHash()
    private var position: UInt64 = 0
    private let descriptor: Int32

    package init(path: String) throws(FileError) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)
        guard descriptor >= 0 else { throw .system("can't read \(path)") }
        var status = stat()
        guard fstat(descriptor, &status) == 0, status.st_mode & S_IFMT == S_IFREG, status.st_size >= 0 else {
            close(descriptor)
            throw FileError("can't send \(path): it is no file")
        }
        self.path = path
        name = FileName.sanitised(path)
        size = UInt64(status.st_size)
        self.descriptor = descriptor
    }

    deinit { close(descriptor) }

    /// SHA-1 and SHA-256 of all of it, which a file-selector wants (RFC 5547 section 6); where it is read from stays as it is.
    /// - Parameter progress: is told the octets read so far, and says whether to go on.
    /// - Returns: nil when `progress` said no.
    package func fingerprints(_ progress: (UInt64) -> Bool) throws(FileError) -> [Fingerprint]? {
        let hashes = [RunningHash(.sha1), RunningHash(.sha256)]
        var piece = [UInt8](repeating: 0, count: 1 << 20)
        var offset: UInt64 = 0
        while offset < size {
            guard progress(offset) else { return nil }
            let count = pread(descriptor, &piece, piece.count, off_t(offset))
            if count < 0, errno == EINTR { continue }
            guard count >= 0 else { throw .system("can't read \(path)") }
            guard count > 0 else { throw FileError("\(path) became shorter while it was read") }
            piece.withUnsafeBytes { octets in
                let read = UnsafeRawBufferPointer(rebasing: octets[..<count])
                for hash in hashes { hash.update(read) }
            }
            offset += UInt64(count)
        }
        return hashes.map(\.fingerprint)
    }

    /// Of all that was read, in hexadecimal digits.
    package var sha256: String { hash.hexadecimal }

    /// Goes to where the receiver wants to go on, if what it has is the beginning of this file.
    /// - Parameter sha256: of what the receiver has; nil when it doesn't say.
    /// - Returns: false when it isn't, or is longer; the file is then at its start.
    package func skip(to offset: UInt64, sha256: String?) -> Bool {
        hash = RunningHash()
        position = 0
        if offset <= size, hash.update(descriptor, upTo: offset), sha256.map({ $0 == hash.hexadecimal }) ?? true {
            position = offset
            return true
        }
        hash = RunningHash()
        return false
    }

    /// The next octets; fewer when the file became shorter meanwhile.
    package func read(_ count: Int) -> ByteBuffer {
        var bytes = ByteBuffer()
        bytes.reserveCapacity(count)
        while bytes.readableBytes < count {
            let wanted = count - bytes.readableBytes
            let got = bytes.writeWithUnsafeMutableBytes(minimumWritableBytes: wanted) { space in
                var result: Int
                repeat {
                    result = pread(descriptor, space.baseAddress, min(space.count, wanted), off_t(position))
                } while result < 0 && errno == EINTR
                return max(result, 0)
            }
            if got == 0 { break }
            position += UInt64(got)
        }
        hash.update(bytes)
        return bytes
    }
}
