import ArgumentParser
import CBench
import Foundation

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the rounds and prints medians and ratios.",
        discussion: """
            Deliveries: one participant of a room sends texts of 100 bytes in CPIM; a delivery is a SEND out and its \
            200 in. Every copy is compared with what was sent. CPU is the server's user and system time.
            """)

    enum Part: String, CaseIterable, ExpressibleByArgument {
        case deliveries, rooms, `private`, images, stalled, xmpp, files, capacity
    }

    @Option(help: "The confd binary.")
    var confd = ".build/release/confd"

    @Option(help: "Rounds; in each, all servers run in turn.")
    var rounds = 5

    @Option(help: "Seconds a measurement sends for.")
    var seconds = 1.0

    @Option(parsing: .upToNextOption, help: "What is measured.")
    var only = Part.allCases

    @Option(parsing: .upToNextOption, help: "Sizes of the room in `deliveries`.")
    var participants = [2, 10, 100, 500]

    @Option(parsing: .upToNextOption, help: "Messages outstanding at a time.")
    var windows = [1, 16]

    @Option(help: "Idle participants of the memory measurement.")
    var idle = 1000

    @Option(help: "INVITEs of the join measurement.")
    var joins = 3000

    @Option(help: "MB of the file that goes to ten while a room talks.")
    var megabytes = 100

    @Flag(inversion: .prefixedNo, help: "Measure over TLS too.")
    var tls = true

    @Flag(help: "Give the load generator the last processor and the servers all others.")
    var pin = false

    @Flag(help: "One short round of everything, to see that it works.")
    var quick = false

    func validate() throws {
        guard (1...50).contains(rounds), (0.05...60).contains(seconds) else {
            throw ValidationError("rounds: 1 to 50, seconds: 0.05 to 60")
        }
        guard participants.allSatisfy((2...5000).contains), windows.allSatisfy((1...1024).contains) else {
            throw ValidationError("participants: 2 to 5000, windows: 1 to 1024")
        }
        guard (1...10_000).contains(idle), (1...20_000).contains(joins), (1...1000).contains(megabytes) else {
            throw ValidationError("idle: 1 to 10000, joins: 1 to 20000, megabytes: 1 to 1000")
        }
    }

    func run() throws {
        cbench_raise_descriptor_limit()
        if pin { cbench_pin() }
        var bounds = Bounds()
        bounds.seconds = quick ? min(seconds, 0.2) : seconds
        for group in ChatCase.Group.allCases where only.contains(where: { $0.rawValue == group.rawValue }) {
            try measure(group, bounds)
        }
        if only.contains(.xmpp) { try measureXMPP(bounds) }
        if only.contains(.files) { try measureFiles(bounds) }
        if only.contains(.capacity) { try measureCapacity(bounds) }
    }

    private var turns: Int { quick ? 1 : rounds }

    private func note(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }

    private var inTurn: String { "medians of \(turns) rounds in turn" }

    private func range(_ values: [Double]) -> String {
        guard let least = values.min(), let most = values.max() else { return "" }
        return "\(number(least, decimals: 2)) to \(number(most, decimals: 2))"
    }

    // MARK: Deliveries

    private typealias Pair = (confd: ExchangeSample, limit: ExchangeSample)

    private func measure(_ group: ChatCase.Group, _ bounds: Bounds) throws {
        let cases = ChatCase.all(sizes: participants, windows: windows, tls: tls).filter { $0.group == group }
        var samples = cases.map { _ in [Pair]() }
        for round in 1...turns {
            for (index, item) in cases.enumerated() {
                note(
                    "round \(round) of \(turns): \(group.rawValue), \(item.name), window \(item.window)"
                        + (item.tls ? ", TLS" : ""))
                // Fresh servers, so that no case pays for what another left behind.
                let (confdServer, focus) = try ServerProcess.confd(executable: confd)
                defer { confdServer.stop() }
                let (limitServer, limit) = try ServerProcess.fanout()
                defer { limitServer.stop() }
                samples[index].append(
                    (
                        try Measurements.exchange(item, confdServer, focus, bounds: bounds),
                        try Measurements.exchange(item, limitServer, limit, bounds: bounds)
                    ))
            }
        }
        var table = Table(columns: [
            "transport", "window", group == .deliveries ? "participants" : "case", "confd deliveries/s",
            "C deliveries/s", "confd CPU us", "C CPU us", "CPU ratio", "least to most", "confd p99 ms", "C p99 ms",
        ])
        for (item, runs) in zip(cases, samples) {
            let ratios = runs.map { $0.confd.cpuPerDelivery / $0.limit.cpuPerDelivery }
            table.add([
                item.tls ? "TLS" : "plain", "\(item.window)", item.name,
                number(median(runs.map(\.confd.perSecond))), number(median(runs.map(\.limit.perSecond))),
                number(median(runs.map(\.confd.cpuPerDelivery)), decimals: 2),
                number(median(runs.map(\.limit.cpuPerDelivery)), decimals: 2),
                number(median(ratios), decimals: 2), range(ratios),
                number(median(runs.map(\.confd.p99)), decimals: 2), number(median(runs.map(\.limit.p99)), decimals: 2),
            ])
        }
        print("\(title(of: group)) (CPU: server, per delivery; \(inTurn))\n\n\(table.text)")
        if group == .deliveries { printRelations(cases, samples) }
    }

    private func title(of group: ChatCase.Group) -> String {
        switch group {
        case .deliveries: "Deliveries"
        case .rooms: "Ten rooms of 50, one talks in each"
        case .private: "Private messages, to each of the others in turn; C in a room of two"
        case .images: "Images of 1 MB to 50"
        case .stalled: "One of 100 reads nothing"
        }
    }

    /// How the cost grows with the room and with TLS, by neighbours in time: of the same round.
    private func printRelations(_ cases: [ChatCase], _ samples: [[Pair]]) {
        func runs(_ size: Int, window: Int, tls: Bool) -> [Pair]? {
            cases.indices.first {
                cases[$0].participants == size && cases[$0].window == window && cases[$0].tls == tls
            }.map { samples[$0] }
        }
        var table = Table(columns: ["CPU a delivery", "window", "confd", "least to most", "C", "least to most"])
        func add(_ what: String, window: Int, _ above: [Pair]?, _ below: [Pair]?) {
            guard let above, let below, !above.isEmpty else { return }
            let own = zip(above, below).map { $0.confd.cpuPerDelivery / $1.confd.cpuPerDelivery }
            let limit = zip(above, below).map { $0.limit.cpuPerDelivery / $1.limit.cpuPerDelivery }
            table.add([
                what, "\(window)", number(median(own), decimals: 2), range(own), number(median(limit), decimals: 2),
                range(limit),
            ])
        }
        for window in windows {
            add(
                "500 participants by 100", window: window, runs(500, window: window, tls: false),
                runs(100, window: window, tls: false))
            add(
                "TLS by plain, 100 participants", window: window, runs(100, window: window, tls: true),
                runs(100, window: window, tls: false))
        }
        print("Relations (\(inTurn))\n\n\(table.text)")
    }

    // MARK: XMPP

    private func measureXMPP(_ bounds: Bounds) throws {
        for server in XMPPServer.allCases where !server.isInstalled { note("\(server.rawValue) is not installed") }
        let servers = XMPPServer.allCases.filter(\.isInstalled)
        guard !servers.isEmpty else { return }
        let members = 100
        var own = [Int: [ExchangeSample]]()
        var others = [XMPPServer: [Int: [ExchangeSample]]]()
        for round in 1...turns {
            for window in windows {
                note("round \(round) of \(turns): group chat, window \(window)")
                let (confdServer, focus) = try ServerProcess.confd(executable: confd)
                defer { confdServer.stop() }
                let item = ChatCase(
                    group: .deliveries, name: "\(members)", participants: members, perRoom: members, window: window)
                own[window, default: []].append(
                    try Measurements.exchange(item, confdServer, focus, bounds: bounds))
                for server in servers {
                    others[server, default: [:]][window, default: []].append(
                        try Measurements.groupChat(server, members: members, window: window, bounds: bounds))
                }
            }
        }
        var table = Table(columns: [
            "window", "server", "deliveries/s", "CPU us", "least to most", "times confd's CPU", "least to most",
            "p99 ms",
        ])
        for window in windows {
            func add(_ name: String, _ runs: [ExchangeSample], ratios: [Double]) {
                let costs = runs.map(\.cpuPerDelivery)
                table.add([
                    "\(window)", name, number(median(runs.map(\.perSecond))), number(median(costs), decimals: 2),
                    range(costs), ratios.isEmpty ? "" : number(median(ratios), decimals: 1), range(ratios),
                    number(median(runs.map(\.p99)), decimals: 2),
                ])
            }
            let ownRuns = own[window] ?? []
            add("confd", ownRuns, ratios: [])
            for server in servers {
                let runs = others[server]?[window] ?? []
                add(
                    server.rawValue, runs, ratios: zip(runs, ownRuns).map { $0.cpuPerDelivery / $1.cpuPerDelivery })
            }
        }
        print("Group chat of \(members), plain TCP (CPU: server, per delivery; \(inTurn))\n\n\(table.text)")
    }

    // MARK: Files

    private func measureFiles(_ bounds: Bounds) throws {
        for tls in tls ? [false, true] : [false] {
            var plan = FilesBesideChat()
            plan.tls = tls
            plan.fileSize = megabytes * 1_000_000
            if quick { plan.messages = 200 }
            var samples = [FilesBesideChat.Sample]()
            for round in 1...turns {
                note("round \(round) of \(turns): a file beside a chat\(tls ? ", TLS" : "")")
                samples.append(try Measurements.filesBesideChat(confd: confd, plan: plan, bounds: bounds))
            }
            var table = Table(columns: ["what", "median", "least", "most"])
            func add(_ what: String, decimals: Int = 2, _ values: [Double]) {
                guard let least = values.min(), let most = values.max() else { return }
                table.add([what] + [median(values), least, most].map { number($0, decimals: decimals) })
            }
            add("p99 ms, nothing else", samples.map(\.alone.p99_latency))
            add("p99 ms, beside the file", samples.map(\.beside.p99_latency))
            add("p99 ms, difference", samples.map { $0.beside.p99_latency - $0.alone.p99_latency })
            add("median ms, nothing else", samples.map(\.alone.median_latency))
            add("median ms, beside the file", samples.map(\.beside.median_latency))
            add("longest ms, beside the file", samples.map(\.beside.longest_latency))
            add("files pulled meanwhile", decimals: 0, samples.map { Double($0.transfers) })
            add("MB/s pulled, all together", decimals: 0, samples.map(\.megabytesPerSecond))
            add("MB/s pushed before", decimals: 0, samples.map(\.pushMegabytesPerSecond))
            add("MB resident afterwards", decimals: 0, samples.map { $0.residentKiB / 1024 })
            print(
                """
                \(plan.messages) texts to \(plan.participants) while a file of \(megabytes) MB goes to \
                \(plan.receivers) at once\(tls ? ", TLS" : "") (medians of \(turns) rounds)

                \(table.text)
                """)
        }
    }

    // MARK: Capacity

    private func measureCapacity(_ bounds: Bounds) throws {
        var plainMemory = [Double]()
        var tlsMemory = [Double]()
        var joinRates = [Double]()
        var joinCPU = [Double]()
        for round in 1...turns {
            note("round \(round) of \(turns): memory of \(idle) idle participants, \(joins) joins")
            plainMemory.append(
                try Measurements.idleMemory(confd: confd, participants: idle, tls: false, bounds: bounds))
            if tls {
                tlsMemory.append(
                    try Measurements.idleMemory(confd: confd, participants: idle, tls: true, bounds: bounds))
            }
            let result = try Measurements.joins(confd: confd, count: joins, bounds: bounds)
            joinRates.append(result.perSecond)
            joinCPU.append(result.cpuPerJoin)
        }
        var table = Table(columns: ["what", "median", "least", "most"])
        func add(_ what: String, _ values: [Double], decimals: Int = 1) {
            guard let least = values.min(), let most = values.max() else { return }
            table.add([what] + [median(values), least, most].map { number($0, decimals: decimals) })
        }
        add("KiB resident per idle participant, plain", plainMemory)
        add("KiB resident per idle participant, TLS", tlsMemory)
        add("joins/s (UDP, plain, no authentication)", joinRates, decimals: 0)
        add("CPU us per join", joinCPU)
        print("Capacity (medians of \(turns) rounds)\n\n\(table.text)")
    }
}
