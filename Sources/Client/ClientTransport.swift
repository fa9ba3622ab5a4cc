import Logging
import MSRPTransport
import NIOGnuTLS
import NIOPosix

/// The transport of a command that talks MSRP.
enum ClientTransport {
    /// - Parameter identity: shown to servers that ask for a certificate; relays are shown none (RFC 4976 section 9.2).
    static func configuration(
        _ security: LinkSecurity, identity: TLSIdentity? = nil
    ) throws(ClientError) -> TransportConfiguration {
        var configuration = TransportConfiguration(egress: .any)
        guard security.usesTLS else { return configuration }
        do throws(CertificateError) {
            let trust = security.verifies ? security.trustFile.map { TrustAnchors.file($0) } ?? .system : .none
            configuration.clientTLS = try TLSContext.client(identity: identity, trust: trust)
        } catch {
            throw .usage("\(error)")
        }
        return configuration
    }

    static func start(_ configuration: TransportConfiguration, logger: Logger) async -> TransportHandle {
        await TransportHandle.start(
            on: MultiThreadedEventLoopGroup.singleton.next(), configuration: configuration, logger: logger)
    }
}
