internal import Focus
internal import MSRPTransport
internal import MediaMixer
internal import RelayCore

/// What `confd status` shows: every counter at one moment. The names are those of its JSON.
struct ServerStatus: Codable, Sendable, Equatable {
    var version: String
    var pid: Int32
    var uptimeSeconds: Int
    /// Addresses by what is spoken there, as in the ready line: `sip`, `msrp`, `relay`.
    var listeners: [String: [String]]
    var transport: Transport
    /// Nil where no rooms are served.
    var sip: FocusStatus?
    var rooms: Rooms?
    /// Nil where nothing is relayed.
    var relay: RelaySnapshot?

    /// MSRP connections of rooms and relay.
    struct Transport: Codable, Sendable, Equatable {
        var connections: Int
        var connectionsAccepted: UInt64
        var connectionsOpened: UInt64
        var tlsConnections: UInt64
        var sessions: Int
        var bytesIn: UInt64
        var refusedByConnectionLimit: UInt64
        var refusedByAddressLimit: UInt64
        var unboundTimeouts: UInt64
        var garbage: UInt64
        var unknownSessions: UInt64
        var sessionsInUse: UInt64
        var connectFailures: UInt64
        var egressRefusals: UInt64
        var tlsFailures: UInt64

        init(_ counters: TransportCounters) {
            connections = counters.connections
            connectionsAccepted = counters.connectionsAccepted
            connectionsOpened = counters.connectionsOpened
            tlsConnections = counters.tlsConnections
            sessions = counters.sessions
            bytesIn = counters.bytesIn
            refusedByConnectionLimit = counters.refusedByConnectionLimit
            refusedByAddressLimit = counters.refusedByAddressLimit
            unboundTimeouts = counters.unboundTimeouts
            garbage = counters.garbage
            unknownSessions = counters.unknownSessions
            sessionsInUse = counters.sessionsInUse
            connectFailures = counters.connectFailures
            egressRefusals = counters.egressRefusals
            tlsFailures = counters.tlsFailures
        }
    }

    /// The conference server.
    struct Rooms: Codable, Sendable, Equatable {
        var rooms: Int
        var members: Int
        var messagesAccepted: UInt64
        var messagesRefused: UInt64
        var messagesDropped: UInt64
        var deliveries: UInt64
        var deliveryFailures: UInt64
        var slowMembersRemoved: UInt64
        var sendersPaused: UInt64
        var transactionTimeouts: UInt64
        var joinsRefused: UInt64
        var queuedBytes: Int
        var messagesLeftOut: UInt64
        var membersCongested: UInt64
        var streams: UInt64
        var streamsAborted: UInt64
        var streamsUnassembled: UInt64
        var filesReceived: UInt64
        var filesSent: UInt64
        var filesFailed: UInt64
        var filesRefused: UInt64
        var transfers: Int

        init(_ counters: MixerCounters) {
            rooms = counters.rooms
            members = counters.members
            messagesAccepted = counters.messagesAccepted
            messagesRefused = counters.messagesRefused
            messagesDropped = counters.messagesDropped
            deliveries = counters.deliveries
            deliveryFailures = counters.deliveryFailures
            slowMembersRemoved = counters.slowMembersRemoved
            sendersPaused = counters.sendersPaused
            transactionTimeouts = counters.transactionTimeouts
            joinsRefused = counters.joinsRefused
            queuedBytes = counters.queuedBytes
            messagesLeftOut = counters.messagesLeftOut
            membersCongested = counters.membersCongested
            streams = counters.streams
            streamsAborted = counters.streamsAborted
            streamsUnassembled = counters.streamsUnassembled
            filesReceived = counters.filesReceived
            filesSent = counters.filesSent
            filesFailed = counters.filesFailed
            filesRefused = counters.filesRefused
            transfers = counters.transfers
        }
    }
}
