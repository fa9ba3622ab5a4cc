import Logging
import SIP

/// Calls of ours: dialling out by INVITE or REFER (RFC 4579 sections 5.5 to 5.7, RFC 5366).
extension Focus {
    /// A response to an INVITE of ours that makes a call.
    func dialled(_ call: Call, _ response: Response) {}

    /// A call of ours ended before it had a participant; false when it is no such call.
    func dialledInVain(_ call: Call, _ ending: Ending) -> Bool { false }

    /// False when the exchange is no REFER of ours.
    func referAnswered(_ exchange: Exchange, _ response: Response) -> Bool { false }

    /// NOTIFY from those we sent a REFER to.
    func notified(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        reject(transaction, .gone, metadata: metadata(request), level: .debug)
    }
}
