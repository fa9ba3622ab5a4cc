import MSRP
import MSRPTransport

/// Owns connections that start with AUTH (RFC 4976 section 5.1). Until there is a relay behind it, every AUTH is
/// answered with 501, and the connection is free again to name a session.
final class AuthOwner: SessionOwner {
    private var requests: [ObjectIdentifier: Head] = [:]

    func bound(_ connection: Connection, head: Head?) {}

    func part(_ part: Part, from connection: Connection) {
        switch part {
        case .head(let head):
            requests[ObjectIdentifier(connection)] = head
        case .body, .outgoingEndLine:
            break
        case .end:
            guard let head = requests.removeValue(forKey: ObjectIdentifier(connection)) else { return }
            connection.withOutput { _ = Frame.writeRefusal(of: head, status: .unknownMethod, into: &$0) }
        }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        requests[ObjectIdentifier(connection)] = nil
    }
}

@available(*, unavailable)
extension AuthOwner: Sendable {}
