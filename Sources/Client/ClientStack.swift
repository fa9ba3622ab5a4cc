import Logging
import NIOGnuTLS
package import SIP

/// Starts a SIP stack for one outgoing errand.
enum ClientStack {
    /// One listener of the peer's transport on any port of the address that faces it.
    static func start(for peer: Peer, logger: Logger) async throws(ClientError) -> SIPStack {
        let listener = Endpoint(transport: peer.transport, host: peer.localAddress, port: 0)
        var configuration = SIPConfiguration(listeners: [listener])
        configuration.allow = ["INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "OPTIONS", "NOTIFY"]
        configuration.allowEvents = []
        // The roster of a large room is one body.
        configuration.maximumMessageSize = 4 << 20
        configuration.verifiesPeers = false
        if peer.transport == .tls {
            do {
                let identity = try SelfSignedCertificate.generate(names: [peer.localAddress])
                configuration.identity = SIPConfiguration.TLSIdentity(
                    certificateChain: String(decoding: identity.certificatePEM, as: UTF8.self),
                    privateKey: String(decoding: identity.keyPEM, as: UTF8.self))
            } catch {
                throw .unusableAnswer("\(error)")
            }
        }
        do {
            return try await SIPStack.start(configuration, logger: logger)
        } catch {
            throw .noAnswer("\(error)")
        }
    }
}

/// Carries the stack's events from the SIP thread, in order.
final class SIPEventPipe: SIPHandler {
    private let take: @Sendable (SIPEvent) -> Void

    init(_ take: @escaping @Sendable (SIPEvent) -> Void) { self.take = take }

    func received(_ event: SIPEvent) { take(event) }
}
