import CBench

/// The C load generator's sessions through a relay or a proxy, as a value that closes them when it goes.
struct RelayGroup: ~Copyable {
    static let user = "alice"
    static let domain = "127.0.0.1"
    static let password = "correct horse"

    private let relay: OpaquePointer

    init(sessions: Int, authenticates: Bool, tls: Bool) throws {
        var options = cbench_relay_options()
        options.sessions = UInt32(sessions)
        options.authenticates = authenticates
        options.tls = tls
        var error = [CChar](repeating: 0, count: 512)
        let relay = Self.domain.withCString { domain in
            Self.user.withCString { user in
                Self.password.withCString { password in
                    options.domain = domain
                    options.user = user
                    options.password = password
                    return cbench_relay_create(&options, &error, error.count)
                }
            }
        }
        guard let relay else {
            let text = String(decoding: error.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
            throw BenchError("the load generator: \(text)")
        }
        self.relay = relay
    }

    deinit {
        cbench_relay_destroy(relay)
    }

    private func failure(_ what: String) -> BenchError {
        BenchError("\(what): \(String(cString: cbench_relay_error(relay)))")
    }

    /// Where the clients listen when they do not authenticate.
    var backendPort: UInt16 { cbench_relay_backend_port(relay) }

    func open(port: UInt16, concurrency: Int = 16, binds: Bool = true) throws {
        guard cbench_relay_open(relay, port, UInt32(concurrency), binds) >= 0 else { throw failure("opening") }
    }

    /// Seconds that so many authentications took, each over a connection of its own or all over the first.
    func authenticate(port: UInt16, count: Int, reconnects: Bool) throws -> Double {
        let seconds = cbench_relay_authenticate(relay, port, UInt64(count), reconnects)
        guard seconds >= 0 else { throw failure("authenticating") }
        return seconds
    }

    func start(_ plan: cbench_relay_plan) throws {
        var plan = plan
        guard cbench_relay_start(relay, &plan) else { throw failure("starting") }
    }

    /// Nil when the plan is not complete after so many milliseconds.
    func run(milliseconds: Int32 = -1) throws -> cbench_relay_result? {
        var result = cbench_relay_result()
        switch cbench_relay_run(relay, milliseconds, &result) {
        case CBENCH_RELAY_COMPLETE: return result
        case CBENCH_RELAY_GOES_ON: return nil
        default: throw failure("sending")
        }
    }

    func complete(_ plan: cbench_relay_plan) throws -> cbench_relay_result {
        try start(plan)
        guard let result = try run() else { throw BenchError("sending: not complete") }
        return result
    }

    /// Serves what arrives without a plan.
    func rest(milliseconds: Int32) throws {
        guard cbench_relay_rest(relay, milliseconds) else { throw failure("resting") }
    }

    func stall(_ stalled: Bool) {
        cbench_relay_stall(relay, stalled)
    }
}
