/// What the mixer did since it started; for logs, tests and metrics.
package struct MixerCounters: Sendable, Equatable {
    package var rooms = 0
    package var members = 0
    package var messagesAccepted: UInt64 = 0
    package var messagesRefused: UInt64 = 0
    package var messagesDropped: UInt64 = 0
    /// Copies that a congested participant was not sent.
    package var messagesLeftOut: UInt64 = 0
    /// How often a participant became congested (RFC 7701 section 6.4).
    package var membersCongested: UInt64 = 0
    package var deliveries: UInt64 = 0
    package var deliveryFailures: UInt64 = 0
    package var slowMembersRemoved: UInt64 = 0
    package var sendersPaused: UInt64 = 0
    package var transactionTimeouts: UInt64 = 0
    package var joinsRefused: UInt64 = 0
    package var queuedBytes = 0
    /// Messages that were passed on while they came in; those of them that ended with `#`; and those that did not reach
    /// participants who take one SEND only, because the reassembly budget was used up.
    package var streams: UInt64 = 0
    package var streamsAborted: UInt64 = 0
    package var streamsUnassembled: UInt64 = 0
    /// File transfers under way, and what became of others.
    package var transfers = 0
    package var filesReceived: UInt64 = 0
    package var filesSent: UInt64 = 0
    package var filesFailed: UInt64 = 0
    package var filesRefused: UInt64 = 0
    /// Octets of messages that brought files.
    package var fileBytesReceived: UInt64 = 0
    package var fileBytesSent: UInt64 = 0
    /// Octets of files in memory, those that wait for connections included.
    package var fileBytesHeld = 0

    package init() {}

    mutating func add(_ other: MixerCounters) {
        rooms += other.rooms
        members += other.members
        messagesAccepted &+= other.messagesAccepted
        messagesRefused &+= other.messagesRefused
        messagesDropped &+= other.messagesDropped
        messagesLeftOut &+= other.messagesLeftOut
        membersCongested &+= other.membersCongested
        deliveries &+= other.deliveries
        deliveryFailures &+= other.deliveryFailures
        slowMembersRemoved &+= other.slowMembersRemoved
        sendersPaused &+= other.sendersPaused
        transactionTimeouts &+= other.transactionTimeouts
        joinsRefused &+= other.joinsRefused
        queuedBytes += other.queuedBytes
        streams &+= other.streams
        streamsAborted &+= other.streamsAborted
        streamsUnassembled &+= other.streamsUnassembled
        transfers += other.transfers
        filesReceived &+= other.filesReceived
        filesSent &+= other.filesSent
        filesFailed &+= other.filesFailed
        filesRefused &+= other.filesRefused
        fileBytesReceived &+= other.fileBytesReceived
        fileBytesSent &+= other.fileBytesSent
        fileBytesHeld += other.fileBytesHeld
    }
}
