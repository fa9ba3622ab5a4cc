package import NIOCore

/// Where confd may connect to because a peer said so (`[MSRP] egress`, RFC 4975 section 14.5).
///
/// The decision is made on the address that DNS gave, not on the name.
package enum EgressPolicy: String, Sendable, CaseIterable {
    /// Only the address the signalling came from.
    case sameSource = "same-source"
    /// No loopback, private, link-local, shared (CGNAT), unique local, multicast or unspecified address.
    case `public`
    case any

    /// Nil when allowed.
    /// - Parameters:
    ///   - signallingSource: the address the request came from.
    ///   - listeners: our own listeners, with their actual ports. Never connected to, whatever the policy.
    package func refusal(
        of destination: SocketAddress, signallingSource: IPAddress?, listeners: [SocketAddress]
    ) -> EgressRefusal? {
        guard let address = IPAddress(destination) else { return .notAnAddress }
        if listeners.contains(where: { Self.isListener($0, address: address, port: destination.port) }) {
            return .ownListener
        }
        switch self {
        case .any:
            return address.isUnspecified || address.isMulticast ? .notPublic : nil
        case .public:
            return address.isPublic ? nil : .notPublic
        case .sameSource:
            return address == signallingSource ? nil : .notTheSource
        }
    }

    /// The default: whoever listens on a private or loopback address has users there.
    package static func standard(listeners: [SocketAddress]) -> EgressPolicy {
        let addresses = listeners.compactMap { IPAddress($0) }
        return addresses.contains { !$0.isPublic && !$0.isUnspecified } ? .any : .public
    }

    /// A wildcard listener is reached through any address of this host; what those are is not known here, so
    /// loopback addresses count (others are told apart by the self-connection never answering its own session).
    private static func isListener(_ listener: SocketAddress, address: IPAddress, port: Int?) -> Bool {
        guard listener.port == port, let own = IPAddress(listener) else { return false }
        return own == address || (own.isUnspecified && (address.isLoopback || address.isUnspecified))
    }
}

package enum EgressRefusal: Error, Equatable, Sendable {
    case notAnAddress
    case ownListener
    case notPublic
    case notTheSource
}
