/// The relay at one moment, for those who look on.
package struct RelaySnapshot: Sendable, Equatable, Codable {
    package struct Session: Sendable, Equatable, Codable {
        /// `user@realm`
        package var account: String
        /// `unbound`, `connecting` or `bound`
        package var state: String
        package var clientAddress: String
        /// Nil: no peer.
        package var peerAddress: String?
        package var bytesFromClient: UInt64
        package var bytesFromPeer: UInt64
        package var messages: UInt64
        /// Seconds since it was opened.
        package var age: Int

        package init(
            account: String, state: String, clientAddress: String, peerAddress: String?, bytesFromClient: UInt64,
            bytesFromPeer: UInt64, messages: UInt64, age: Int
        ) {
            self.account = account
            self.state = state
            self.clientAddress = clientAddress
            self.peerAddress = peerAddress
            self.bytesFromClient = bytesFromClient
            self.bytesFromPeer = bytesFromPeer
            self.messages = messages
            self.age = age
        }
    }

    /// Of more sessions than this only the counters tell.
    package static let mostSessions = 1000

    package var counters: RelayCounters
    package var sessions: [Session]

    package init(counters: RelayCounters, sessions: [Session]) {
        self.counters = counters
        self.sessions = sessions
    }
}
