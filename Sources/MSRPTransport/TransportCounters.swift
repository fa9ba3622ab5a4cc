/// What the transport did since it started.
package struct TransportCounters: Sendable, Equatable {
    package var connections = 0
    package var connectionsAccepted: UInt64 = 0
    package var connectionsOpened: UInt64 = 0
    package var tlsConnections: UInt64 = 0
    package var refusedByConnectionLimit: UInt64 = 0
    package var refusedByAddressLimit: UInt64 = 0
    package var unboundTimeouts: UInt64 = 0
    package var garbage: UInt64 = 0
    package var unknownSessions: UInt64 = 0
    package var sessionsInUse: UInt64 = 0
    package var connectFailures: UInt64 = 0
    package var egressRefusals: UInt64 = 0
    package var tlsFailures: UInt64 = 0
    package var sessions = 0
    package var bytesIn: UInt64 = 0
    /// Connections that this loop took over from another one.
    package var connectionsMoved: UInt64 = 0
    /// Reads that an owner asked for, which found something; see `Connection.readGathered`.
    package var gatheredReads: UInt64 = 0

    package init() {}

    mutating func add(_ other: TransportCounters) {
        connections += other.connections
        connectionsAccepted &+= other.connectionsAccepted
        connectionsOpened &+= other.connectionsOpened
        tlsConnections &+= other.tlsConnections
        refusedByConnectionLimit &+= other.refusedByConnectionLimit
        refusedByAddressLimit &+= other.refusedByAddressLimit
        unboundTimeouts &+= other.unboundTimeouts
        garbage &+= other.garbage
        unknownSessions &+= other.unknownSessions
        sessionsInUse &+= other.sessionsInUse
        connectFailures &+= other.connectFailures
        egressRefusals &+= other.egressRefusals
        tlsFailures &+= other.tlsFailures
        sessions += other.sessions
        bytesIn &+= other.bytesIn
        connectionsMoved &+= other.connectionsMoved
        gatheredReads &+= other.gatheredReads
    }
}
