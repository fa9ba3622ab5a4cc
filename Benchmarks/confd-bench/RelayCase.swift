import CBench

/// What one run of one server gave.
struct RelaySample {
    /// SENDs, MB or AUTHs a second; 0 for memory.
    var rate = 0.0
    /// CPU microseconds of the server for each of them, or KiB; nil where there is no server.
    var cost: Double?
    /// Chunks that the relay cut.
    var cuts: UInt64 = 0
}

/// One row group of the relay's tables: the same work for each server, in turn.
struct RelayCase {
    enum Group: String, CaseIterable {
        case messages, files, auth, idle, stall
    }

    let name: String
    let group: Group
    let servers: [RelayServer]
    let tls: Bool
    let measure: (RelayServer, RelayBounds) throws -> RelaySample
}

/// How long and how much; everything is bounded by these.
struct RelayBounds {
    var confd: String
    var seconds = 1.0
    var idle = 5000
    var authentications = 4000
    /// Nominal size of file transfers; small chunks move less.
    var megabytes = 512
}

extension RelayCase {
    static func all(_ bounds: RelayBounds) -> [RelayCase] {
        messages + files(bounds) + [auth, refresh, authOverTLS] + idle + stalls
    }

    private static let everybody: [RelayServer] = [.confd, .kamailio, .haproxy, .splice, .copy, .direct]

    // MARK: Texts

    private static var messages: [RelayCase] {
        [(16, false), (1, false), (16, true), (1, true)].map { window, tls in
            RelayCase(
                name: "window \(window)\(tls ? ", TLS" : "")", group: .messages,
                servers: tls ? [.confd, .haproxy, .direct] : everybody, tls: tls
            ) { server, bounds in
                try texts(server, window: window, tls: tls, bounds)
            }
        }
    }

    /// Ten sessions, texts of 100 octets.
    private static func texts(
        _ server: RelayServer, window: Int, tls: Bool, _ bounds: RelayBounds
    ) throws -> RelaySample {
        try withSessions(10, through: server, tls: tls, bounds) { group, process in
            var plan = cbench_relay_plan()
            plan.size = 100
            plan.sends_per_message = 1
            plan.window = UInt32(window)
            plan.most_sends = 10_000_000
            plan.reports = CBENCH_REPORTS_RESPONSES
            // Code paths and buffers are warm then.
            plan.seconds = 0.2
            _ = try group.complete(plan)
            plan.seconds = bounds.seconds
            let before = try process?.cpuMicroseconds()
            let result = try group.complete(plan)
            let spent = try process.map { try $0.cpuMicroseconds() - (before ?? 0) }
            let count = Double(result.sends)
            return RelaySample(rate: count / result.seconds, cost: spent.map { $0 / count }, cuts: result.cuts)
        }
    }

    // MARK: Files

    private static func files(_ bounds: RelayBounds) -> [RelayCase] {
        let usual = CBENCH_REPORTS_RESPONSES
        // Kamailio takes whole frames of little more than 10 KiB.
        return [
            file("2 KiB chunks", size: 2048, of: bounds.megabytes / 8, usual, everybody),
            file("10 KiB chunks", size: 10_240, of: bounds.megabytes / 2, usual, everybody),
            file("64 KiB chunks", size: 65_536, of: bounds.megabytes, usual, everybody.filter { $0 != .kamailio }),
            file("64 KiB, no reports", size: 65_536, of: bounds.megabytes, CBENCH_REPORTS_NONE, copiers),
            file("64 KiB, both reports", size: 65_536, of: bounds.megabytes, CBENCH_REPORTS_SUCCESS, copiers),
            file("one huge chunk", size: 0, of: bounds.megabytes, usual, copiers),
            file("64 KiB chunks, TLS", size: 65_536, of: bounds.megabytes / 2, usual, [.confd, .haproxy], tls: true),
            file("one huge chunk, TLS", size: 0, of: bounds.megabytes / 2, usual, [.confd, .haproxy], tls: true),
        ]
    }

    private static let copiers: [RelayServer] = [.confd, .haproxy, .splice, .copy]

    /// A plan for one message of so many MiB in chunks of `size` octets, 0 for a single one.
    private static func plan(megabytes: Int, size: Int, reports: cbench_reports) -> cbench_relay_plan {
        let octets = megabytes << 20
        var plan = cbench_relay_plan()
        plan.size = UInt64(size == 0 ? octets : size)
        plan.sends_per_message = UInt64(size == 0 ? 1 : octets / size)
        plan.most_sends = plan.sends_per_message
        // About a megabyte under way.
        plan.window = UInt32(size == 0 ? 1 : min(128, max(2, 1 << 20 / size)))
        plan.reports = reports
        return plan
    }

    private static func file(
        _ name: String, size: Int, of megabytes: Int, _ reports: cbench_reports, _ servers: [RelayServer],
        tls: Bool = false
    ) -> RelayCase {
        RelayCase(name: name, group: .files, servers: servers, tls: tls) { server, bounds in
            try withSessions(1, through: server, tls: tls, bounds) { group, process in
                _ = try group.complete(plan(megabytes: max(1, megabytes / 16), size: size, reports: reports))
                let before = try process?.cpuMicroseconds()
                let result = try group.complete(plan(megabytes: megabytes, size: size, reports: reports))
                let spent = try process.map { try $0.cpuMicroseconds() - (before ?? 0) }
                let moved = Double(result.octets) / 1e6
                return RelaySample(rate: moved / result.seconds, cost: spent.map { $0 / moved }, cuts: result.cuts)
            }
        }
    }

    // MARK: AUTH

    private static var auth: RelayCase { auth("connection, 401, 200, end", tls: false, reconnects: true) }
    private static var refresh: RelayCase { auth("401, 200 (refresh)", tls: false, reconnects: false) }
    private static var authOverTLS: RelayCase { auth("connection, 401, 200, end, TLS", tls: true, reconnects: true) }

    private static func auth(_ name: String, tls: Bool, reconnects: Bool) -> RelayCase {
        RelayCase(name: name, group: .auth, servers: tls ? [.confd] : [.confd, .kamailio], tls: tls) { server, bounds in
            let count = tls ? bounds.authentications / 4 : bounds.authentications
            let (process, port) = try server.start(confd: bounds.confd, backend: 0, tls: tls)
            defer { process?.stop() }
            guard let process else { return RelaySample() }
            func authenticate(_ count: Int) throws -> Double {
                try RelayGroup(sessions: 16, authenticates: true, tls: tls)
                    .authenticate(port: port, count: count, reconnects: reconnects)
            }
            _ = try authenticate(500)
            let before = try process.cpuMicroseconds()
            let seconds = try authenticate(count)
            let spent = try process.cpuMicroseconds() - before
            return RelaySample(rate: Double(count) / seconds, cost: spent / Double(count))
        }
    }

    // MARK: Memory

    private static var idle: [RelayCase] {
        [(false, false), (true, false), (false, true), (true, true)].map { tls, binds in
            RelayCase(
                name: "idle\(binds ? " and bound" : "")\(tls ? ", TLS" : "")", group: .idle,
                servers: tls ? [.confd] : [.confd, .kamailio], tls: tls
            ) { server, bounds in
                let (process, port) = try server.start(confd: bounds.confd, backend: 0, tls: tls)
                defer { process?.stop() }
                guard let process else { return RelaySample() }
                let before = try process.residentKiB()
                let group = try RelayGroup(sessions: bounds.idle, authenticates: true, tls: tls)
                try group.open(port: port, concurrency: 64, binds: binds)
                // Memory that a burst leaves free is given back by then.
                try group.rest(milliseconds: 6000)
                return RelaySample(cost: (try process.residentKiB() - before) / Double(bounds.idle))
            }
        }
    }

    private static var stalls: [RelayCase] {
        [(2, false), (10, false), (2, true), (10, true)].map { seconds, tls in
            RelayCase(
                name: "\(seconds) s\(tls ? ", TLS" : "")", group: .stall,
                servers: [.confd, .haproxy], tls: tls
            ) { server, bounds in
                try withSessions(1, through: server, tls: tls, bounds) { group, process in
                    let reports = CBENCH_REPORTS_RESPONSES
                    _ = try group.complete(plan(megabytes: 32, size: 65_536, reports: reports))
                    guard let process else { return RelaySample() }
                    let before = try process.residentKiB()
                    // More is under way than all buffers on the way hold.
                    var stalling = plan(megabytes: 300, size: 65_536, reports: reports)
                    stalling.window = 4096
                    try group.start(stalling)
                    guard try group.run(milliseconds: 50) == nil else { throw BenchError("over before it stalled") }
                    group.stall(true)
                    var most = before
                    for _ in 0..<(seconds * 4) {
                        _ = try group.run(milliseconds: 250)
                        most = max(most, try process.residentKiB())
                    }
                    group.stall(false)
                    guard try group.run() != nil else { throw BenchError("the transfer did not end") }
                    return RelaySample(cost: most - before)
                }
            }
        }
    }

    // MARK: Sessions

    /// Bound sessions through a fresh server.
    private static func withSessions(
        _ count: Int, through server: RelayServer, tls: Bool, _ bounds: RelayBounds,
        _ work: (borrowing RelayGroup, ServerProcess?) throws -> RelaySample
    ) throws -> RelaySample {
        let group = try RelayGroup(sessions: count, authenticates: server.authenticates, tls: tls)
        let (process, port) = try server.start(confd: bounds.confd, backend: group.backendPort, tls: tls)
        defer { process?.stop() }
        try group.open(port: port)
        return try work(group, process)
    }
}
