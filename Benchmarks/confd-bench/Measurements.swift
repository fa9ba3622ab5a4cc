import CBench

/// What one run of one server gave.
struct ExchangeSample {
    let perSecond: Double
    let cpuPerDelivery: Double
}

/// How long and how much; everything is bounded by these.
struct Bounds {
    var seconds = 1.0
    /// Before anything is measured: code paths and buffers are warm then.
    var warmUp = 0.2
    var mostMessages: UInt64 = 1_000_000
    /// INVITEs under way at a time.
    var concurrency = 16
}

enum Measurements {
    /// Texts of 100 bytes to a room, all participants receiving.
    static func exchange(
        _ server: ServerProcess, _ target: Target, participants: Int, window: Int, tls: Bool, bounds: Bounds
    ) throws -> ExchangeSample {
        let group = try ParticipantGroup(
            target: target, participants: participants, perRoom: participants, tls: tls, roomPrefix: "bench")
        if case .focus = target { _ = try group.join(concurrency: bounds.concurrency) }
        try group.connect()
        try group.idle(seconds: 0.1)
        _ = try group.exchange(
            senders: 1, window: window, seconds: bounds.warmUp, mostMessages: bounds.mostMessages)
        let before = try server.cpuMicroseconds()
        let result = try group.exchange(
            senders: 1, window: window, seconds: bounds.seconds, mostMessages: bounds.mostMessages)
        let spent = try server.cpuMicroseconds() - before
        try group.leave(concurrency: bounds.concurrency)
        let deliveries = Double(result.deliveries)
        return ExchangeSample(perSecond: deliveries / result.seconds, cpuPerDelivery: spent / deliveries)
    }

    /// KiB of resident memory per participant that joined, bound and says nothing.
    static func idleMemory(confd: String, participants: Int, tls: Bool, bounds: Bounds) throws -> Double {
        let (server, target) = try ServerProcess.confd(executable: confd)
        defer { server.stop() }
        let before = try server.residentKiB()
        let group = try ParticipantGroup(
            target: target, participants: participants, perRoom: 100, tls: tls, roomPrefix: "idle")
        _ = try group.join(concurrency: bounds.concurrency)
        try group.connect()
        // Idle: what the INVITE transactions held is free (timer I, 5 s) and given back.
        try group.idle(seconds: 12)
        let after = try server.residentKiB()
        try group.leave(concurrency: bounds.concurrency)
        return (after - before) / Double(participants)
    }

    /// Joins a second, and CPU microseconds a join: INVITE, 200, ACK over UDP.
    static func joins(confd: String, count: Int, bounds: Bounds) throws -> (perSecond: Double, cpuPerJoin: Double) {
        let (server, target) = try ServerProcess.confd(executable: confd)
        defer { server.stop() }
        let group = try ParticipantGroup(
            target: target, participants: count, perRoom: 100, tls: false, roomPrefix: "joins")
        let before = try server.cpuMicroseconds()
        let seconds = try group.join(concurrency: bounds.concurrency)
        try group.idle(seconds: 0.1)
        let spent = try server.cpuMicroseconds() - before
        try group.leave(concurrency: bounds.concurrency)
        return (Double(count) / seconds, spent / Double(count))
    }
}
