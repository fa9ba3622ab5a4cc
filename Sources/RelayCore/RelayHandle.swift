package import DigestAuth
package import Logging
package import MSRPTransport
import NIOCore
package import NIOGnuTLS

/// The MSRP relay (RFC 4976) as others see it: Sendable, each method hops to the loop.
package struct RelayHandle: Sendable {
    private let transport: TransportHandle
    private let bound: NIOLoopBound<Relay>

    /// Takes the connections that start with AUTH on the transport's listeners.
    /// - Parameter peerTLS: a client context with our own certificate, for AUTH to other relays; nil: none is forwarded.
    package static func start(
        transport: TransportHandle, configuration: RelayConfiguration, accounts: any AccountStore,
        peerTLS: TLSContext? = nil, logger: Logger
    ) async -> RelayHandle {
        let bound = await transport.perform { loop in
            let relay = Relay(transport: loop, configuration: configuration, logger: logger)
            relay.peerTLS = peerTLS
            let desk = AuthDesk(transport: loop, opener: relay, accounts: accounts, logger: logger)
            relay.desk = desk
            relay.refresher = desk
            loop.authOwner = desk
            return NIOLoopBound(relay, eventLoop: loop.eventLoop)
        }
        return RelayHandle(transport: transport, bound: bound)
    }

    private init(transport: TransportHandle, bound: NIOLoopBound<Relay>) {
        self.transport = transport
        self.bound = bound
    }

    /// From now on new sessions and AUTHs follow this configuration; running sessions live on as they are.
    package func reconfigure(
        _ configuration: RelayConfiguration, accounts: any AccountStore, peerTLS: TLSContext? = nil
    ) async {
        let bound = bound
        await transport.perform { _ in
            bound.value.configuration = configuration
            bound.value.peerTLS = peerTLS
            bound.value.desk?.renew(accounts: accounts)
        }
    }

    package func snapshot() async -> RelaySnapshot {
        let bound = bound
        return await transport.perform { _ in bound.value.snapshot() }
    }

    /// Ends all sessions and takes no more; the connections are closed in an orderly way.
    package func shutdown() async {
        let bound = bound
        await transport.perform { _ in bound.value.shutdown() }
    }
}
