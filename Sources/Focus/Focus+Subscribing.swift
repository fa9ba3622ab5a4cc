import Logging
import SIP

/// SUBSCRIBE and PUBLISH of the conference event package (RFC 4575, RFC 6665, RFC 3903).
extension Focus {
    /// - Parameter dialog: what it came within; nil: it asks for a dialog of its own.
    func subscribed(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        reject(transaction, .methodNotAllowed, metadata: metadata(request), level: .debug)
    }

    func published(_ transaction: Transaction, _ request: Request) {
        reject(transaction, .methodNotAllowed, metadata: metadata(request), level: .debug)
    }

    /// False when the exchange is no NOTIFY of a roster.
    func notifyAnswered(_ exchange: Exchange, _ response: Response) -> Bool { false }
}
