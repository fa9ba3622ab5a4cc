import Logging
import SIP

/// REFER (RFC 3515, RFC 4488, RFC 5368): participants are called, removed, moved at somebody's word.
extension Focus {
    /// - Parameter dialog: what it came within; nil: it asks for a dialog of its own.
    func referred(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        reject(transaction, .methodNotAllowed, metadata: metadata(request), level: .debug)
    }

    /// False when the exchange is no NOTIFY of a REFER.
    func reportAnswered(_ exchange: Exchange, _ response: Response) -> Bool { false }
}
