import CBench

/// The C load generator's members of a group chat over XMPP, as a value that closes them when it goes.
struct XMPPMembers: ~Copyable {
    private let members: OpaquePointer

    init(port: UInt16, domain: String, room: String, members: Int) throws {
        var options = cbench_xmpp_options()
        options.port = port
        options.members = UInt32(members)
        var error = [CChar](repeating: 0, count: 512)
        let made = domain.withCString { domain in
            room.withCString { room in
                options.domain = domain
                options.room = room
                return cbench_xmpp_create(&options, &error, error.count)
            }
        }
        guard let made else { throw BenchError("the XMPP members: \(text(of: error))") }
        self.members = made
    }

    deinit {
        cbench_xmpp_destroy(members)
    }

    private func failure(_ what: String) -> BenchError {
        BenchError("\(what): \(String(cString: cbench_xmpp_error(members)))")
    }

    func join(concurrency: Int) throws {
        guard cbench_xmpp_join(members, UInt32(concurrency)) else { throw failure("joining") }
    }

    func idle(seconds: Double) throws {
        guard cbench_xmpp_idle(members, seconds) else { throw failure("resting") }
    }

    func exchange(window: Int, seconds: Double, mostMessages: UInt64) throws -> cbench_exchange_result {
        var result = cbench_exchange_result()
        guard cbench_xmpp_exchange(members, UInt32(window), seconds, mostMessages, &result) else {
            throw failure("exchanging messages")
        }
        return result
    }
}
