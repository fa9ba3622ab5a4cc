import Logging
import MSRP
import MSRPTransport
import NIOCore
import NIOGnuTLS

/// The relay on one event loop: its sessions, what they share, and what happens every tick.
final class Relay: SessionOpener {
    let transport: TransportLoop
    /// For new sessions; running ones keep theirs.
    var configuration: RelayConfiguration
    var counters = RelayCounters()
    let logger: Logger
    /// Who authenticates refreshes.
    var refresher: (any SessionRefresher)?
    /// For connections to relay peers: with our certificate. Nil: no AUTH is forwarded.
    var peerTLS: TLSContext?

    init(transport: TransportLoop, configuration: RelayConfiguration, logger: Logger) {
        self.transport = transport
        self.configuration = configuration
        self.logger = logger
    }

    func open(
        account: RelayAccount, over connection: Connection, authHead: Head, clientPath: Path, expires: Int?,
        isRelayPeer: Bool
    ) -> (any OpenedSession)? {
        nil
    }
}

@available(*, unavailable)
extension Relay: Sendable {}
