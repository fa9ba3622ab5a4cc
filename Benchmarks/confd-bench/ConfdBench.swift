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
        abstract: "Serves the C fan-out program (no SIP, no rules) until it is killed.")

    @Option(help: "The port on 127.0.0.1; 0 takes a free one.")
    var port: UInt16 = 0

    func run() throws {
        throw ExitCode(cbench_fanout_serve(port))
    }
}
