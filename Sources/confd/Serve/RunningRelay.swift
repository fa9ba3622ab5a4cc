internal import Logging
internal import MSRPTransport
internal import NIOCore
internal import NIOGnuTLS
internal import RelayCore

/// The relay and what it was told last.
struct RunningRelay: Sendable {
    let handle: RelayHandle
    let configuration: RelayConfiguration

    /// Nil without [Relay].
    static func start(
        _ settings: Settings, _ certificates: Certificates, listeners: [SocketAddress], _ transport: TransportHandle,
        _ accounts: Accounts?
    ) async throws(StartError) -> RunningRelay? {
        guard let relay = settings.relay, let accounts else { return nil }
        let configuration = relay.configuration(
            certificates, listener: listeners.first.map { HostPort($0) }, answerTime: settings.msrp.transactionTimeout)
        let logger = Logger(label: "relay")
        if certificates.relayIsGenerated, !certificates.relay.isFor(configuration.hostname) {
            logger.warning(
                "the generated certificate is not for [Relay] hostname; remove it from the state directory",
                metadata: ["hostname": "\(configuration.hostname)"])
        }
        let handle = await RelayHandle.start(
            transport: transport, configuration: configuration, accounts: accounts.store,
            peerTLS: try settings.peerTLS(certificates), logger: logger)
        return RunningRelay(handle: handle, configuration: configuration)
    }
}

extension Settings {
    /// For connections to other relays: their certificates are checked, and ours is shown. Nil without peers.
    func peerTLS(_ certificates: Certificates) throws(StartError) -> TLSContext? {
        guard let relay, !relay.peers.isEmpty else { return nil }
        do {
            return try TLSContext.client(
                identity: certificates.relay, trust: msrp.trust.map(TrustAnchors.file) ?? .system)
        } catch {
            throw StartError("MSRP", "trust", "\(error)")
        }
    }
}
