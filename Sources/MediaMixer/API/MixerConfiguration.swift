package import NIOCore

/// The mixer's settings; every limit a peer can run into has its name here.
package struct MixerConfiguration: Sendable {
    /// Octets of the largest message taken from a participant (413 above).
    package var maximumMessageSize = 10 * 1024 * 1024

    /// Messages up to this size go to participants as one uninterrupted SEND.
    package var maximumUnchunkedSize = 1024 * 1024

    /// Octets of all messages being reassembled, the room's members together; beyond it a new message gets 413. Each
    /// loop has its part.
    package var reassemblyBudget = 256 * 1024 * 1024

    /// Octets that may wait for one participant; never less than `maximumMessageSize`. Over 80 % of them it is
    /// congested (`RoomConfiguration.congestion`).
    package var memberQueueBytes = 16 * 1024 * 1024

    /// How long a participant may hold senders up: then nobody waits for it any more.
    package var slowMemberWait: TimeAmount = .seconds(5)

    /// How long nothing may move on a participant's connection before it counts as standing still, and nobody waits
    /// for it.
    package var slowMemberPatience: TimeAmount = .seconds(1)

    /// How long a participant without an MSRP connection is kept.
    package var gracePeriod: TimeAmount = .seconds(10)

    /// How long a reserved session waits for its first connection.
    package var bindTimeout: TimeAmount = .seconds(60)

    /// How long a SEND may stay unanswered (RFC 4975 section 7.1.1).
    package var transactionTimeout: TimeAmount = .seconds(30)

    /// Messages, and their octets, that wait for a participant until its first bind.
    package var messagesBeforeBind = 64
    package var bytesBeforeBind = 256 * 1024

    /// Whether the old path may be taken again by the same client after a loss, without a new offer.
    package var reconnectsSameSession = false

    /// How long a message whose chunks are passed on as they come waits for its next one (RFC 7701 section 6.1).
    package var chunkReceptionTime: TimeAmount = .seconds(540)

    /// Messages of one participant that are passed on in chunks at a time.
    package var streamsPerMember = 4

    /// Beginnings of User-Agent values of clients that take every message in one piece only.
    package var agentsWithoutChunks: [String] = []

    /// How long a participant's message is known again by its Message-ID, and how many of a participant's.
    package var repeatTime: TimeAmount = .minutes(10)
    package var rememberedMessages = 1024
    /// The same of all participants together; beyond it few of each are known.
    package var rememberedMessagesInAll = 1 << 20
    /// Messages of sessions that have ended, of one room, that are known again.
    package var earlierMessages = 16 * 1024

    /// How long after its user left a nickname is nobody else's (RFC 7701 section 7.1).
    package var nicknameQuarantine: TimeAmount = .seconds(300)

    /// Octets of messages of a room that are kept for members whose connection is lost, and for the history.
    package var roomTailBytes = 4 * 1024 * 1024
    /// How many there may be.
    package var roomTailMessages = 10_000
    /// Octets of the messages that all rooms keep; when there are more, each room keeps a sixteenth of `roomTailBytes`.
    package var tailBudget = 256 * 1024 * 1024
    /// How long participants are kept waiting for the history while the store reads it.
    package var historyLoadTime: TimeAmount = .seconds(3)

    /// How long a message may wait before it is written to the history; what a crash can lose.
    package var historyDelay: TimeAmount = .milliseconds(100)

    package var files = FileTransferLimits()

    package var maximumRooms = 20_000
    package var maximumMembersPerRoom = 1_000
    package var maximumMembers = 20_000

    package init() {}

    /// `memberQueueBytes`, but room for one message in any case.
    var queueBound: Int { max(memberQueueBytes, maximumMessageSize) }

    /// How long a message may be missing to somebody in the room: until the first bind, or until a loss is noticed and the
    /// grace period is over.
    var recoveryTime: TimeAmount {
        max(transactionTimeout + slowMemberWait + gracePeriod, bindTimeout) + .seconds(5)
    }

    /// What one participant may have in reassembly: a message and some of the next.
    var reassemblyPerMember: Int { maximumMessageSize + 1024 * 1024 }
}
