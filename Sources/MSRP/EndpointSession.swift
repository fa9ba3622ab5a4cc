package import NIOCore

/// One MSRP session as its endpoint sees it (RFC 4975 section 7): what a chat member, a file session or a
/// client says in answer to what comes in, and what it still waits for.
///
/// A pure machine: parts and times in, octets and events out. The owner
/// - feeds every part of its connection to `receive` and sends what was written to `output`;
/// - answers each `PendingResponse` once, at once or later, with `respond`;
/// - offers raw bytes to `consumeExpectedResponses` while its parser is at a message's start;
/// - calls `expire` about once a second, and `nextDelivery` until nil after any of these.
package struct EndpointSession: Sendable {
    package struct Configuration: Sendable {
        /// SENDs without an answer.
        package var maxOutstanding: Int
        /// How long a request waits for its answer (RFC 4975 section 7.1.1).
        package var responseTimeout: TimeAmount
        /// Octets in a message that comes in.
        package var maxMessageSize: Int
        /// Octets in a message that goes out; nil: as many as in one that comes in.
        package var maxOutgoingSize: Int?
        /// Messages of which only some chunks have come.
        package var maxMessagesInReassembly: Int
        /// Octets held for all of those together.
        package var maxReassemblyBytes: Int
        /// Separate stretches of one message, between which chunks are missing.
        package var maxGapsInMessage: Int
        /// How long a message waits for its next chunk.
        package var reassemblyTimeout: TimeAmount
        /// Messages up to this size go out in one SEND.
        package var maxUnchunked: Int
        /// Messages waiting to go out in chunks.
        package var maxQueuedMessages: Int
        /// Octets in the body of a request that is not a SEND (RFC 4975 section 7.1).
        package var maxRequestBody: Int
        /// Methods besides SEND and REPORT that come up as `Event.request`; all others get 501.
        package var methods: [Method]
        /// Content types taken; all others get 415.
        package var acceptTypes: AcceptTypes
        /// Messages of more octets than this come up as they arrive (`Event.streamBegan`), those of unknown size as soon
        /// as they have grown above it. Nil: each message comes up whole.
        package var streamAbove: Int?
        /// Messages coming up so at a time; another gets 413.
        package var maxStreams: Int
        /// How long such a message waits for its next octets (RFC 7701 section 6.1).
        package var chunkReceptionTime: TimeAmount

        package init(
            maxMessageSize: Int = 10 << 20, maxMessagesInReassembly: Int = 16, maxReassemblyBytes: Int? = nil,
            maxGapsInMessage: Int = 256, reassemblyTimeout: TimeAmount = .seconds(120), maxUnchunked: Int = 1 << 20,
            maxQueuedMessages: Int = 64, maxOutstanding: Int = 16_384, responseTimeout: TimeAmount = .seconds(30),
            maxRequestBody: Int = 10_240, methods: [Method] = [.nickname], acceptTypes: AcceptTypes = .all,
            streamAbove: Int? = nil, maxStreams: Int = 4, chunkReceptionTime: TimeAmount = .seconds(540)
        ) {
            self.maxMessageSize = maxMessageSize
            self.maxMessagesInReassembly = maxMessagesInReassembly
            self.maxReassemblyBytes = maxReassemblyBytes ?? (maxMessageSize + 1 << 20)
            self.maxGapsInMessage = maxGapsInMessage
            self.reassemblyTimeout = reassemblyTimeout
            self.maxUnchunked = maxUnchunked
            self.maxQueuedMessages = maxQueuedMessages
            self.maxOutstanding = maxOutstanding
            self.responseTimeout = responseTimeout
            self.maxRequestBody = maxRequestBody
            self.methods = methods
            self.acceptTypes = acceptTypes
            self.streamAbove = streamAbove
            self.maxStreams = maxStreams
            self.chunkReceptionTime = chunkReceptionTime
        }
    }

    package enum Event: Sendable {
        /// A whole message; the owner decides with `respond`, then perhaps reports with `report`.
        case message(Message, PendingResponse)
        /// A SEND without content (bind, keep-alive); its 200 is written already.
        case empty(Head)
        /// A request of one of `Configuration.methods` with its body; the owner answers with `respond`.
        case request(Head, body: ByteBuffer, PendingResponse)
        case report(Report)
        /// The answer to a request other than SEND, or a refusal (not 200) of a SEND registered with
        /// `registerShared`. Answers to messages of `send` surface as `Delivery` only.
        case response(Head, Status)
        /// A request was refused; the response is written already if one was due.
        case refused(Head, Status)
        /// The sender gave a message up (`#`).
        case aborted(MessageID)
        /// A message above `streamAbove` has begun, with its first octets; they lie in the read buffer. The owner may
        /// refuse it with `refuseStream` until it has ended.
        case streamBegan(IncomingStream, ByteBuffer)
        /// The octets that follow in the message, each once and in order.
        case streamOctets(MessageID, ByteBuffer)
        /// A chunk of the message ended, more are to come; its 200 is written already.
        case streamChunkEnded(MessageID)
        /// No more of it comes.
        case streamEnded(MessageID, StreamEnd)
    }

    /// A message that comes up as it arrives.
    package struct IncomingStream: Sendable {
        package let messageID: MessageID
        /// The Content-Type as written.
        package let contentType: String
        /// Of the chunk that starts at position one.
        package let head: Head
        /// The size of the whole message as declared; nil is `*`. Not exceeded.
        package let total: UInt64?
    }

    package enum StreamEnd: Sendable {
        /// All octets came; the owner answers with `respond`, then perhaps reports with `report`.
        case complete(PendingResponse)
        /// The sender gave it up (`#`); answered.
        case aborted
        /// The session refused a chunk of it; answered.
        case refused(Status)
    }

    /// What is needed to answer a request later.
    package struct PendingResponse: Sendable {
        /// The request (of a message in chunks: the one that completed it).
        package let head: Head

        package init(head: Head) { self.head = head }
    }

    package struct Expiration: Sendable {
        /// Requests that went unanswered for `responseTimeout`: their ids.
        package var timedOut: [UInt64] = []
        /// Messages dropped because chunks were missing for `reassemblyTimeout`.
        package var abandoned: [MessageID] = []

        package init() {}
    }

    package enum SendRefusal: Error, Sendable, Hashable {
        /// Longer than `maxOutgoingSize`.
        case tooLarge
        /// `maxQueuedMessages` are waiting already.
        case queueFull
        /// `maxOutstanding` requests are unanswered already.
        case tooManyOutstanding
    }

    // What each message touches comes first, so that it lies side by side.
    var outstandingRequests = OutstandingRequests()
    package var configuration: Configuration
    var responseTail = ResponseTail()

    package let localPath: Path
    package private(set) var remotePath: Path
    /// ` SEND CRLF To-Path... CRLF From-Path... CRLF`, for `Frame.writeSharedHead`.
    package private(set) var sendLines: ByteBuffer

    /// `To-Path... CRLF From-Path... CRLF` of our requests.
    private(set) var pathLines: ByteBuffer
    /// `localPath` as written in our answers.
    let localPathText: ByteBuffer
    var ids: IDGenerator
    var incoming = Incoming.nothing
    var knownPaths = KnownPaths()
    /// The last Content-Type that was found acceptable; most messages of a session repeat it.
    var accepted: (type: String, by: AcceptTypes)?
    var reassembler = Reassembler()
    /// Messages refused before their end: later chunks of theirs are refused at once.
    var refused: [MessageID] = []
    var outbox = Outbox()

    package init(
        localPath: Path, remotePath: Path, configuration: Configuration = Configuration(),
        ids: IDGenerator = IDGenerator()
    ) {
        self.localPath = localPath
        self.remotePath = remotePath
        self.configuration = configuration
        self.ids = ids
        localPathText = ByteBuffer(string: localPath.description)
        pathLines = Frame.pathLines(to: remotePath, from: localPath)
        sendLines = Self.sendLines(pathLines)
    }

    /// From now on requests of ours go by another path: a peer may connect before the answer that names its path.
    package mutating func redirect(to remotePath: Path) {
        self.remotePath = remotePath
        pathLines = Frame.pathLines(to: remotePath, from: localPath)
        sendLines = Self.sendLines(pathLines)
    }

    private static func sendLines(_ pathLines: ByteBuffer) -> ByteBuffer {
        var lines = ByteBuffer()
        lines.write(" SEND\r\n")
        lines.writeImmutableBuffer(pathLines)
        return lines
    }

    /// Requests without an answer.
    package var outstanding: Int { outstandingRequests.count }
    /// The SENDs registered with `registerShared` that have no answer, oldest first, with the time they were sent.
    package var unansweredShared: [(id: UInt64, sent: NIODeadline)] {
        outstandingRequests.unanswered.filter { $0.subject == .shared }.map {
            ($0.id, $0.deadline - configuration.responseTimeout)
        }
    }
    /// Octets held for messages of which only some chunks have come.
    package var heldBytes: Int { reassembler.held }
    /// Messages that come up as they arrive and have not ended.
    package var streams: Int { reassembler.streams }
    /// When the oldest of them times out.
    package var nextTimeout: NIODeadline? { outstandingRequests.first?.deadline }

    /// What became of messages given to `send` and `sendEmpty`, oldest first.
    package mutating func nextDelivery() -> Delivery? { outbox.nextDelivery() }

    /// Drops the messages that came up as they arrived and of which nothing came for `chunkReceptionTime`: they count as
    /// aborted (RFC 7701 section 6.1), and what comes of them later is refused.
    package mutating func expireStreams(now: NIODeadline) -> [MessageID] {
        guard reassembler.streams > 0 else { return [] }
        let expired = reassembler.dropStreams(before: now - configuration.chunkReceptionTime)
        for messageID in expired { noteRefused(messageID) }
        return expired
    }

    /// Drops what waited too long; of messages that come up as they arrive, see `expireStreams`.
    package mutating func expire(now: NIODeadline) -> Expiration {
        var expiration = Expiration()
        while let entry = outstandingRequests.first, entry.deadline <= now {
            outstandingRequests.popFirst()
            switch (entry.subject, entry.quiet) {
            case (.message(let number), true): outbox.answered(number)
            case (.message(let number), false):
                outbox.fail(number, .timedOut)
                expiration.timedOut.append(entry.id)
            case (.shared, _), (.request, _): expiration.timedOut.append(entry.id)
            }
        }
        if reassembler.count > 0 {
            expiration.abandoned = reassembler.dropAll(before: now - configuration.reassemblyTimeout)
        }
        return expiration
    }
}
