import Logging
import MediaMixer
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

    // MARK: What others call

    /// The room's configuration or condition changed: title, subject, roles, whether it is locked.
    func rosterChanged(_ room: RoomAddress) {}

    /// Participants came, left or changed; `updateRoster` calls it.
    func peopleChanged(_ room: RoomAddress) {}

    /// The room is gone: its subscriptions end with `noresource` (RFC 4575 section 3.3), its publications are
    /// forgotten, and nobody is in it any more.
    func roomEnded(_ room: RoomAddress) { roster.end(room) }

    /// The room's policy document is another: subscriptions are judged again (RFC 5025).
    func subscriptionPolicyChanged(_ room: RoomAddress) {}

    /// Ends subscriptions of somebody who was removed or banned: `rejected`.
    ///
    /// - Parameter account: `user@domain`.
    func endSubscriptions(of account: String, in room: RoomAddress) {}

    /// The clean stop: NOTIFY `terminated;reason=deactivated` to every subscriber, and returns when they are answered
    /// or after a short while. To be called before the stack goes.
    package func shutdownSubscriptions() async {}

    package var notifyCounters: NotifyCounters { NotifyCounters() }
}
