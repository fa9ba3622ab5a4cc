import ArgumentParser
import CBench
import Foundation

struct Relay: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Measures confd's relay in turn with Kamailio, HAProxy and a C proxy, as far as they are installed.",
        discussion: """
            A relay message is a SEND in, its 200 back, the SEND out, its 200 in. What comes out is compared with what \
            went in, octet by octet. CPU is the server's user and system time, all threads and processes.
            """)

    @Option(help: "The confd binary.")
    var confd = ".build/release/confd"

    @Option(help: "Rounds; in each, all servers run in turn.")
    var rounds = 5

    @Option(help: "Seconds that texts are sent for.")
    var seconds = 1.0

    @Option(help: "Idle sessions of the memory measurement.")
    var idle = 5000

    @Option(help: "AUTHs of the AUTH measurement.")
    var authentications = 4000

    @Option(help: "MiB of a file in chunks of 64 KiB, and of the huge chunk.")
    var megabytes = 512

    @Option(help: "What is measured: messages, files, auth, idle, stall.")
    var only = RelayCase.Group.allCases.map(\.rawValue)

    @Option(help: "Only cases whose name contains this.")
    var matching: String?

    @Option(help: "Leave a server out: confd, Kamailio, HAProxy, \"C splice\", \"C copy\", direct.")
    var without: [String] = []

    func validate() throws {
        guard (1...50).contains(rounds), (0.05...60).contains(seconds), (16...4096).contains(megabytes) else {
            throw ValidationError("rounds: 1 to 50, seconds: 0.05 to 60, megabytes: 16 to 4096")
        }
        guard (1...10_000).contains(idle), (100...100_000).contains(authentications) else {
            throw ValidationError("idle: 1 to 10000, authentications: 100 to 100000")
        }
        guard only.allSatisfy({ RelayCase.Group(rawValue: $0) != nil }) else {
            throw ValidationError("only: messages, files, auth, idle, stall")
        }
    }

    func run() throws {
        cbench_raise_descriptor_limit()
        let bounds = RelayBounds(
            confd: confd, seconds: seconds, idle: idle, authentications: authentications, megabytes: megabytes)
        let cases = RelayCase.all(bounds).filter { item in
            only.contains(item.group.rawValue) && (matching.map { item.name.contains($0) } ?? true)
        }
        let servers = RelayServer.allCases.filter { $0.isInstalled && !without.contains($0.rawValue) }
        for server in RelayServer.allCases where !server.isInstalled { note("\(server.rawValue) is not installed") }
        var samples = cases.map { _ in [RelayServer: [RelaySample]]() }
        for round in 1...rounds {
            for (index, item) in cases.enumerated() {
                for server in item.servers where servers.contains(server) {
                    note("round \(round) of \(rounds): \(item.group.rawValue), \(item.name), \(server.rawValue)")
                    do {
                        let sample = try item.measure(server, bounds)
                        if sample.cuts > 0 { note("\(server.rawValue) cut \(sample.cuts) chunks") }
                        samples[index][server, default: []].append(sample)
                    } catch let error as BenchError where server != .confd {
                        // What another server cannot do is a result too, not the end of the run.
                        note("\(server.rawValue): \(error)")
                    }
                }
            }
        }
        for group in RelayCase.Group.allCases {
            let rows = zip(cases, samples).filter { $0.0.group == group }
            if !rows.isEmpty { print("\(title(of: group))\n\n\(table(of: group, rows))") }
        }
    }

    private func note(_ text: String) {
        FileHandle.standardError.write(Data("\(text)\n".utf8))
    }

    private func title(of group: RelayCase.Group) -> String {
        let rounds = "medians of \(rounds) rounds in turn"
        return switch group {
        case .messages: "Texts of 100 octets, 10 sessions (CPU: server, per message; \(rounds))"
        case .files: "Files (CPU: server, per MB; \(rounds))"
        case .auth: "AUTH with digest (CPU: server, per AUTH; \(rounds))"
        case .idle: "Resident memory of idle sessions (\(rounds))"
        case .stall: "Growth while the client reads nothing (\(rounds))"
        }
    }

    /// One row a server; the ratio is confd's cost by this server's.
    private func table(
        of group: RelayCase.Group, _ rows: [(RelayCase, [RelayServer: [RelaySample]])]
    ) -> String {
        let units: [String] =
            switch group {
            case .messages: ["messages/s", "CPU us"]
            case .files: ["MB/s", "CPU us/MB"]
            case .auth: ["AUTH/s", "CPU us"]
            case .idle: ["", "KiB a session"]
            case .stall: ["", "KiB"]
            }
        var table = Table(
            columns: ["case", "server"] + units.filter { !$0.isEmpty } + ["least", "most", "confd's cost by this"])
        for (item, samples) in rows {
            let own = samples[.confd]?.compactMap(\.cost) ?? []
            for server in item.servers {
                guard let runs = samples[server], !runs.isEmpty else { continue }
                let costs = runs.compactMap(\.cost)
                var cells = [item.name, server.rawValue]
                if !units[0].isEmpty { cells.append(number(median(runs.map(\.rate)))) }
                let decimals = group == .messages ? 2 : 1
                for value in [median(costs), costs.min(), costs.max()] {
                    cells.append(costs.isEmpty ? "" : number(value ?? .nan, decimals: decimals))
                }
                let ratios = zip(own, costs).map { $0 / $1 }
                cells.append(server == .confd || ratios.isEmpty ? "" : number(median(ratios), decimals: 2))
                table.add(cells)
            }
        }
        return table.text
    }
}
