import CBench

/// Something that ends a benchmark: what was being done and what went wrong.
struct BenchError: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) {
        self.description = description
    }
}

/// Where participants find the server under test.
enum Target {
    /// SIP over UDP on 127.0.0.1; MSRP is where the answer's path says.
    case focus(sipPort: UInt16)
    /// No SIP: MSRP at once.
    case fanout(msrpPort: UInt16)
}

/// The C load generator's participants, as a value that closes them when it goes.
struct ParticipantGroup: ~Copyable {
    private let group: OpaquePointer

    init(
        target: Target, participants: Int, perRoom: Int, tls: Bool, roomPrefix: String, stalled: Int = 0,
        pictureSize: Int = 0
    ) throws {
        var options = cbench_options()
        switch target {
        case .focus(let port): options.sip_port = port
        case .fanout(let port): options.msrp_port = port
        }
        options.participants = UInt32(participants)
        options.per_room = UInt32(perRoom)
        options.tls = tls
        options.stalled = UInt32(stalled)
        options.picture_size = UInt32(pictureSize)
        var error = [CChar](repeating: 0, count: 512)
        let group = "127.0.0.1".withCString { address in
            roomPrefix.withCString { prefix in
                options.sip_host = address
                options.msrp_host = address
                options.domain = address
                options.room_prefix = prefix
                return cbench_group_create(&options, &error, error.count)
            }
        }
        guard let group else { throw BenchError("the load generator: \(text(of: error))") }
        self.group = group
    }

    deinit {
        cbench_group_destroy(group)
    }

    private func failure(_ what: String) -> BenchError {
        BenchError("\(what): \(String(cString: cbench_group_error(group)))")
    }

    /// Seconds it took until everybody had the 200 and sent the ACK.
    func join(concurrency: Int) throws -> Double {
        let seconds = cbench_group_join(group, UInt32(concurrency))
        guard seconds >= 0 else { throw failure("joining") }
        return seconds
    }

    func connect() throws {
        guard cbench_group_connect(group) >= 0 else { throw failure("binding") }
    }

    func exchange(_ options: cbench_exchange_options) throws -> cbench_exchange_result {
        var result = cbench_exchange_result()
        var options = options
        guard cbench_group_exchange(group, &options, &result) else { throw failure("exchanging messages") }
        return result
    }

    func idle(seconds: Double) throws {
        guard cbench_group_idle(group, seconds) else { throw failure("resting") }
    }

    func leave(concurrency: Int) throws {
        guard cbench_group_leave(group, UInt32(concurrency)) >= 0 else { throw failure("leaving") }
    }
}

/// What a C function left in a buffer.
func text(of bytes: [CChar]) -> String {
    String(decoding: bytes.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
}
