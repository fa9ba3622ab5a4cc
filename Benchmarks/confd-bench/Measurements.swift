import CBench

/// How long and how much; everything is bounded by these.
struct Bounds {
    var seconds = 1.0
    /// Before anything is measured: code paths and buffers are warm then.
    var warmUp = 0.2
    var mostMessages: UInt64 = 1_000_000
    /// INVITEs under way at a time.
    var concurrency = 16

    func exchange(
        _ audience: cbench_audience = CBENCH_TO_ROOM, window: Int, seconds: Double, rate: Double = 0,
        mostMessages: UInt64? = nil
    ) -> cbench_exchange_options {
        var options = cbench_exchange_options()
        options.audience = audience
        options.senders = 1
        options.window = UInt32(window)
        options.seconds = seconds
        options.most_messages = mostMessages ?? self.mostMessages
        options.rate = rate
        return options
    }
}

enum Measurements {
    /// One case with one server.
    static func exchange(
        _ item: ChatCase, _ server: ServerProcess, _ target: Target, bounds: Bounds
    ) throws -> ExchangeSample {
        var (participants, perRoom) = (item.participants, item.perRoom)
        var audience = item.audience
        if case .fanout = target, let size = item.limitParticipants {
            (participants, perRoom, audience) = (size, size, CBENCH_TO_ROOM)
        }
        let group = try ParticipantGroup(
            target: target, participants: participants, perRoom: perRoom, tls: item.tls, roomPrefix: "bench",
            stalled: item.stalled, pictureSize: item.pictureSize)
        if case .focus = target { _ = try group.join(concurrency: bounds.concurrency) }
        try group.connect()
        try group.idle(seconds: 0.1)
        _ = try group.exchange(bounds.exchange(audience, window: item.window, seconds: bounds.warmUp))
        let before = try server.cpuMicroseconds()
        let seconds = item.group == .stalled ? max(3, bounds.seconds) : bounds.seconds
        let result = try group.exchange(bounds.exchange(audience, window: item.window, seconds: seconds))
        let spent = try server.cpuMicroseconds() - before
        try group.leave(concurrency: bounds.concurrency)
        let deliveries = Double(result.deliveries)
        return ExchangeSample(
            perSecond: deliveries / result.seconds, cpuPerDelivery: spent / deliveries, p99: result.p99_latency)
    }

    /// A group chat over XMPP: the same texts.
    static func groupChat(_ server: XMPPServer, members: Int, window: Int, bounds: Bounds) throws -> ExchangeSample {
        let (process, port) = try server.start()
        defer { process.stop() }
        let group = try XMPPMembers(port: port, domain: XMPPServer.domain, room: XMPPServer.room, members: members)
        try group.join(concurrency: bounds.concurrency)
        try group.idle(seconds: 0.5)
        _ = try group.exchange(window: window, seconds: max(1, bounds.warmUp), mostMessages: bounds.mostMessages)
        let before = try process.cpuMicroseconds()
        let result = try group.exchange(window: window, seconds: bounds.seconds, mostMessages: bounds.mostMessages)
        let spent = try process.cpuMicroseconds() - before
        let deliveries = Double(result.deliveries)
        return ExchangeSample(
            perSecond: deliveries / result.seconds, cpuPerDelivery: spent / deliveries, p99: result.p99_latency)
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

    /// Small messages at a steady rate, alone and while a file goes to many at once.
    static func filesBesideChat(confd: String, plan: FilesBesideChat, bounds: Bounds) throws -> FilesBesideChat.Sample {
        let (server, target) = try ServerProcess.confd(executable: confd)
        defer { server.stop() }
        guard case .focus(let sipPort) = target else { throw BenchError("confd without SIP") }
        let group = try ParticipantGroup(
            target: target, participants: plan.participants, perRoom: plan.participants, tls: plan.tls,
            roomPrefix: "files")
        _ = try group.join(concurrency: bounds.concurrency)
        try group.connect()
        try group.idle(seconds: 0.1)
        _ = try group.exchange(bounds.exchange(window: 1, seconds: bounds.warmUp))
        let transfers = try FileTransfers(
            sipPort: sipPort, roomPrefix: "files", size: plan.fileSize, receivers: plan.receivers, tls: plan.tls)
        let pushSeconds = try transfers.push()
        // The line that announces the file.
        try group.idle(seconds: 0.5)
        func chat() throws -> cbench_exchange_result {
            try group.exchange(
                bounds.exchange(
                    window: 1024, seconds: Double(plan.messages) / plan.rate + 60, rate: plan.rate,
                    mostMessages: UInt64(plan.messages)))
        }
        let alone = try chat()
        try transfers.start()
        try group.idle(seconds: 0.3)
        let beside = try chat()
        let files = try transfers.stop()
        let resident = try server.residentKiB()
        try group.leave(concurrency: bounds.concurrency)
        return FilesBesideChat.Sample(
            alone: alone, beside: beside, transfers: Int(files.transfers),
            megabytesPerSecond: Double(files.octets) / 1e6 / files.seconds,
            pushMegabytesPerSecond: Double(plan.fileSize) / 1e6 / pushSeconds, residentKiB: resident)
    }
}

/// The measurement of a room where files go to many while people talk.
struct FilesBesideChat {
    var participants = 100
    var receivers = 10
    var fileSize = 100_000_000
    var messages = 2000
    /// Messages a second.
    var rate = 200.0
    var tls = false

    struct Sample {
        let alone, beside: cbench_exchange_result
        let transfers: Int
        let megabytesPerSecond, pushMegabytesPerSecond, residentKiB: Double
    }
}
