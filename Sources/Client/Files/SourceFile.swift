package import NIOCore

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
    private var hash = FileHash()
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

    /// Of all that was read, in hexadecimal digits.
    package var sha256: String { hash.hexadecimal }

    /// Goes to where the receiver wants to go on, if what it has is the beginning of this file.
    /// - Parameter sha256: of what the receiver has; nil when it doesn't say.
    /// - Returns: false when it isn't, or is longer; the file is then at its start.
    package func skip(to offset: UInt64, sha256: String?) -> Bool {
        hash = FileHash()
        position = 0
        if offset <= size, hash.update(descriptor, upTo: offset), sha256.map({ $0 == hash.hexadecimal }) ?? true {
            position = offset
            return true
        }
        hash = FileHash()
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
