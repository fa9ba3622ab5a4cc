package import MSRPTransport

/// The MSRP relay (RFC 4976) as others see it.
package struct RelayHandle: Sendable {
    /// Takes the connections that start with AUTH on the transport's listeners.
    package static func start(transport: TransportHandle) async -> RelayHandle {
        await transport.perform { $0.authOwner = AuthOwner() }
        return RelayHandle()
    }
}
