import CBench

/// The C load generator's file transfers, as a value that ends them when it goes.
struct FileTransfers: ~Copyable {
    private let files: OpaquePointer

    init(sipPort: UInt16, roomPrefix: String, size: Int, receivers: Int, tls: Bool) throws {
        var options = cbench_files_options()
        options.sip_port = sipPort
        options.size = UInt64(size)
        options.receivers = UInt32(receivers)
        options.tls = tls
        var error = [CChar](repeating: 0, count: 512)
        let files = "127.0.0.1".withCString { domain in
            roomPrefix.withCString { prefix in
                options.domain = domain
                options.room_prefix = prefix
                return cbench_files_create(&options, &error, error.count)
            }
        }
        guard let files else { throw BenchError("file transfers: \(text(of: error))") }
        self.files = files
    }

    deinit {
        cbench_files_destroy(files)
    }

    private func failure(_ what: String) -> BenchError {
        BenchError("\(what): \(String(cString: cbench_files_error(files)))")
    }

    /// Seconds until the room had all of the file.
    func push() throws -> Double {
        let seconds = cbench_files_push(files)
        guard seconds >= 0 else { throw failure("pushing a file") }
        return seconds
    }

    /// All receivers pull, again and again.
    func start() throws {
        guard cbench_files_start(files) else { throw failure("pulling a file") }
    }

    func stop() throws -> cbench_files_result {
        var result = cbench_files_result()
        guard cbench_files_stop(files, &result) else { throw failure("pulling a file") }
        return result
    }
}
