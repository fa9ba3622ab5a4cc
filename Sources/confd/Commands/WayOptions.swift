internal import ArgumentParser
internal import Logging
internal import SIP

/// How a client command gets to its server, and how much it says.
struct WayOptions: ParsableArguments {
    enum Transport: String, ExpressibleByArgument, CaseIterable {
        case udp, tcp, tls

        var value: SIPTransport {
            switch self {
            case .udp: .udp
            case .tcp: .tcp
            case .tls: .tls
            }
        }
    }

    @ArgumentParser.Option(
        help: "udp, tcp or tls for SIP; without it what the address says (;transport=tcp, sips:), else udp.")
    var transport: Transport?

    @Flag(name: .shortAndLong, help: "Log what the client does to standard error; twice: the SIP library too.")
    var verbose: Int

    func logger(label: String) -> Logger {
        let level: Logger.Level = verbose == 0 ? .critical : verbose == 1 ? .debug : .trace
        return Logger(label: label) { _ in LineLogHandler(label: label, level: level) }
    }
}
