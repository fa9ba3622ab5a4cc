import ArgumentParser
import CBench
import Foundation

@main
struct ConfdBench: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "confd-bench",
        abstract: "Measures confd on this machine, in turn with other programs.",
        subcommands: [Run.self, Relay.self, Fanout.self, Copy.self, Become.self],
        defaultSubcommand: Run.self)
}

struct Fanout: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves the C fan-out program (one room, no SIP, no rules) until it is killed.")

    @Option(help: "The port on 127.0.0.1; 0 takes a free one.")
    var port: UInt16 = 0

    func run() throws {
        throw ExitCode(cbench_fanout_serve(port))
    }
}

struct Run: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Runs the rounds and prints medians and ratios.",
        discussion: """
            Deliveries: one participant of a room sends texts of 100 bytes in CPIM; a delivery is a SEND out and its \
            200 in. Every copy is compared with what was sent. CPU is the server's user and system time.
            """)

    @Option(help: "The confd binary.")
    var confd = ".build/release/confd"

    @Option(help: "Rounds; in each, confd and the C program run in turn.")
    var rounds = 5

    @Option(help: "Seconds a measurement sends for.")
    var seconds = 1.0

    @Option(help: "Sizes of the room.")
    var participants = [2, 10, 100, 500]

    @Option(help: "Messages outstanding at a time.")
    var windows = [1, 16]

    @Option(help: "Idle participants of the memory measurement.")
    var idle = 1000

    @Option(help: "INVITEs of the join measurement.")
    var joins = 3000

    @Flag(inversion: .prefixedNo, help: "Measure deliveries.")
    var deliveries = true

    @Flag(inversion: .prefixedNo, help: "Measure over TLS too.")
    var tls = true

    @Flag(inversion: .prefixedNo, help: "Measure memory and joins.")
    var capacity = true

    func validate() throws {
        guard (1...50).contains(rounds), (0.05...60).contains(seconds) else {
            throw ValidationError("rounds: 1 to 50, seconds: 0.05 to 60")
        }
        guard participants.allSatisfy((2...5000).contains), windows.allSatisfy((1...1024).contains) else {
            throw ValidationError("participants: 2 to 5000, windows: 1 to 1024")
        }
        guard (1...10_000).contains(idle), (1...20_000).contains(joins) else {
            throw ValidationError("idle: 1 to 10000, joins: 1 to 20000")
        }
    }

    func run() throws {
        cbench_raise_descriptor_limit()
        var bounds = Bounds()
        bounds.seconds = seconds
        if deliveries { try measureDeliveries(bounds) }
        if capacity { try measureCapacity(bounds) }
    }

    private func note(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }

    private struct Scenario: Hashable {
        let tls: Bool
        let window: Int
        let participants: Int
    }

    private func measureDeliveries(_ bounds: Bounds) throws {
        var scenarios = [Scenario]()
        for tls in tls ? [false, true] : [false] {
            for window in windows {
                scenarios += participants.map { Scenario(tls: tls, window: window, participants: $0) }
            }
        }
        var samples = [Scenario: [(confd: ExchangeSample, fanout: ExchangeSample)]]()
        for round in 1...rounds {
            let (confdServer, focus) = try ServerProcess.confd(executable: confd)
            defer { confdServer.stop() }
            let (fanoutServer, fanout) = try ServerProcess.fanout()
            defer { fanoutServer.stop() }
            for scenario in scenarios {
                note(
                    "round \(round) of \(rounds): \(scenario.participants) participants, window \(scenario.window)"
                        + (scenario.tls ? ", TLS" : ""))
                func sample(_ server: ServerProcess, _ target: Target) throws -> ExchangeSample {
                    try Measurements.exchange(
                        server, target, participants: scenario.participants, window: scenario.window,
                        tls: scenario.tls, bounds: bounds)
                }
                samples[scenario, default: []].append(
                    (try sample(confdServer, focus), try sample(fanoutServer, fanout)))
            }
        }

        var table = Table(columns: [
            "transport", "window", "participants", "confd deliveries/s", "C deliveries/s", "confd CPU us", "C CPU us",
            "CPU ratio",
        ])
        for scenario in scenarios {
            let runs = samples[scenario] ?? []
            table.add([
                scenario.tls ? "TLS" : "plain", "\(scenario.window)", "\(scenario.participants)",
                number(median(runs.map(\.confd.perSecond))), number(median(runs.map(\.fanout.perSecond))),
                number(median(runs.map(\.confd.cpuPerDelivery)), decimals: 2),
                number(median(runs.map(\.fanout.cpuPerDelivery)), decimals: 2),
                number(median(runs.map { $0.confd.cpuPerDelivery / $0.fanout.cpuPerDelivery }), decimals: 2),
            ])
        }
        print("Deliveries (CPU: server, per delivery; medians of \(rounds) rounds in turn)\n\n\(table.text)")
    }

    private func measureCapacity(_ bounds: Bounds) throws {
        var plainMemory = [Double]()
        var tlsMemory = [Double]()
        var joinRates = [Double]()
        var joinCPU = [Double]()
        for round in 1...rounds {
            note("round \(round) of \(rounds): memory of \(idle) idle participants, \(joins) joins")
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
        print("Capacity (medians of \(rounds) rounds)\n\n\(table.text)")
    }
}
