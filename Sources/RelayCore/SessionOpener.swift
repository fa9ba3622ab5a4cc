import MSRP
import MSRPTransport

/// What the AUTH desk needs of the relay. All on the transport's loop.
protocol SessionOpener: AnyObject {
    var configuration: RelayConfiguration { get }
    var counters: RelayCounters { get set }

    /// Opens a session for a client that has authenticated, and gives it the connection.
    ///
    /// The desk writes the 200 afterwards, in the same turn; parts that follow go to the session.
    /// - Parameters:
    ///   - clientPath: AUTH's From-Path: the way back to the client (behind a relay peer: several hops).
    ///   - expires: seconds, when the AUTH had Expires: the session ends then. Nil: it had none.
    ///   - isRelayPeer: the connection is another relay's and may carry further sessions.
    /// - Returns: nil when the session table is full.
    func open(
        account: RelayAccount, over connection: Connection, authHead: Head, clientPath: Path, expires: Int?,
        isRelayPeer: Bool
    ) -> (any OpenedSession)?
}

/// A session as the AUTH desk sees it.
protocol OpenedSession: AnyObject {
    var account: RelayAccount { get }
    /// The value of Use-Path: our session URI, behind those of the relays between the client and us
    /// (RFC 4976 sections 5.1 and 6.3).
    var usePath: String { get }
    /// A refresh was answered with 200.
    /// - Parameter expires: as for `open`.
    func refreshed(expires: Int?)
}

/// What the relay needs of the AUTH desk.
protocol SessionRefresher: AnyObject {
    /// An AUTH whose To-Path is a session's own URI came over the session's client leg. It is answered by the desk,
    /// now or, with reading paused meanwhile, later; on success with the session's `usePath`, after `refreshed`.
    func authenticate(_ head: Head, over connection: Connection, for session: any OpenedSession)
}
