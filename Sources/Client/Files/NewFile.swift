#if canImport(Glibc)
    import Glibc
#endif

/// A file that is written in one go under a name that nobody has.
enum NewFile {
    private static let mostNumbers = 10_000

    /// Blocks. A file of that name that is there already is left alone: this one gets a number.
    /// - Returns: its path.
    static func write(_ content: [UInt8], folder: String, name: String) throws(FileError) -> String {
        for number in 0..<mostNumbers {
            let path = "\(folder)/\(FileName.copy(name, number))"
            let descriptor = open(path, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0o644)
            guard descriptor >= 0 else {
                guard errno == EEXIST else { throw .system("can't create \(path)") }
                continue
            }
            defer { close(descriptor) }
            var rest = content[...]
            while !rest.isEmpty {
                let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
                if count > 0 {
                    rest = rest.dropFirst(count)
                } else if errno != EINTR {
                    let error = FileError.system("can't write \(path)")
                    unlink(path)
                    throw error
                }
            }
            return path
        }
        throw FileError("there are too many files named \(name) in \(folder)")
    }
}
