import Logging
import MSRP
import MSRPTransport
import NIOCore
import Payloads

/// What a room remembers: its tail in memory, and what of it goes to the store.
///
/// The room numbers its messages from 1 on as soon as it is open. Where those begin in the store is known later, so what
/// was said before has numbers below 1 here. That way nobody waits to speak, and what is said is on its way to the store
/// at once.
final class RoomHistory {
    enum Stage: Equatable {
        /// Nothing is kept beyond this process.
        case unstored
        /// The store is being read; members whose media are active wait, until this time.
        case loading(until: NIODeadline)
        /// It could not be read; it is tried again then.
        case failed(retry: NIODeadline)
        case stored
    }

    private let mixer: Mixer
    private let room: RoomAddress
    private(set) var rule = RoomConfiguration.History.none
    private var keepsPrivate = false
    private(set) var stage = Stage.unstored
    private(set) var tail = RoomTail<Fanout>()
    /// Of the last message.
    private(set) var lastSequence: Int64 = 0
    /// How many messages for all there were.
    private(set) var publicCount: Int64 = 0
    /// Where these numbers begin in the store.
    private let origin = HistoryWriter.Origin()
    /// Octets that the mixer counts for this room.
    private var counted = 0

    init(mixer: Mixer, terms: RoomTerms) {
        self.mixer = mixer
        room = terms.address
        follow(terms)
    }

    private var writer: HistoryWriter? { mixer.services.history }

    /// Whether members can be told what they have missed.
    var isReadable: Bool {
        if case .loading = stage { false } else { true }
    }

    // MARK: Terms

    /// The room's configuration may be another one.
    func follow(_ terms: RoomTerms) {
        keepsPrivate = terms.configuration.keepsPrivateMessages
        guard terms.configuration.history != rule else { return }
        rule = terms.configuration.history
        writer?.note(rule, of: room)
        if rule == .none {
            // What is being read is of no use any more.
            if case .loading = stage { stage = .unstored }
            if case .failed = stage { stage = .unstored }
        } else if stage == .unstored {
            load()
        }
    }

    // MARK: What is said

    /// Gives a message its number. Not for what nobody needs later.
    func number(_ message: Fanout, isPrivate: Bool) {
        guard !message.cpim.goesInChunks, !message.envelope.isEphemeral else { return }
        lastSequence += 1
        if !isPrivate { publicCount += 1 }
        message.sequence = lastSequence
    }

    /// A message that has a number was passed on.
    func keep(_ message: Fanout, from sender: Member, to recipient: String? = nil) {
        guard message.sequence > 0 else { return }
        let isHistory = rule != .none && (recipient == nil || keepsPrivate) && !message.envelope.isNotification
        let entry = RoomTail<Fanout>.Entry(
            sequence: message.sequence, publicCount: publicCount, at: mixer.now,
            time: mixer.wallMilliseconds(), octets: Self.octets(of: message), sender: sender.id,
            ends: recipient.map { PrivateEnds(sender: sender.participant, recipient: ParticipantURI($0)) },
            isHistory: isHistory, message: message)
        tail.append(entry, limits: limits)
        count()
        if isHistory { store(entry, sender: sender.uri, recipient: recipient) }
    }

    private func store(_ entry: RoomTail<Fanout>.Entry, sender: String, recipient: String?) {
        let envelope = entry.message.envelope
        writer?.append(
            .init(
                entry: HistoryEntry(
                    room: room, sequence: entry.sequence, time: entry.time, sender: sender,
                    senderName: envelope.senderName ?? sender, recipient: recipient,
                    messageID: entry.message.cpim.messageID.string, contentType: envelope.contentType, cpim: []),
                cpim: envelope.cpim, origin: origin))
    }

    private static func octets(of message: Fanout) -> Int {
        // The objects around the octets take some, too.
        // The text form is made when the turn is passed on, if anybody takes it.
        message.cpim.tail.storageCapacity + (message.envelope.isText ? message.cpim.size : 0) + 512
    }

    // MARK: Bounds

    private var limits: TailLimits {
        let configuration = mixer.configuration
        let isCrowded = mixer.tailBytes > mixer.tailBudget
        return TailLimits(
            messages: configuration.roomTailMessages,
            octets: isCrowded ? configuration.roomTailBytes / 16 : configuration.roomTailBytes,
            recoveryTime: configuration.recoveryTime)
    }

    private func count() {
        mixer.tailBytes += tail.octets - counted
        counted = tail.octets
    }

    func ticked(at now: NIODeadline) {
        if tail.count > 0 {
            tail.expire(now: now, time: mixer.wallMilliseconds(), rule: rule, limits: limits)
            count()
        }
        switch stage {
        case .loading(let until):
            guard until <= now else { return }
            mixer.logger.warning("the history is read too slowly", metadata: ["room": "\(room)"])
            stage = .failed(retry: .distantFuture)
            release()
        case .failed(let retry): if retry <= now { load() }
        case .unstored, .stored: break
        }
    }

    /// An operator's order.
    /// - Parameter time: milliseconds since 1970; nil: all.
    func purge(before time: Int64?) {
        purgedBefore = max(purgedBefore, time ?? .max)
        tail.purge(before: time)
        count()
    }

    /// The room is closed; the store has what is kept.
    func close() {
        tail.purge(before: nil)
        count()
        stage = .unstored
        writer?.closed(room)
    }

    // MARK: The store

    private var loads: UInt64 = 0
    /// What was purged since the last load began; that load may have read it before.
    private var purgedBefore = Int64.min

    private func load() {
        guard let writer else { return }
        loads += 1
        purgedBefore = .min
        let (room, origin, rule, number, time) = (room, origin, rule, loads, mixer.wallMilliseconds())
        let (messages, octets) = (limits.messages, limits.octets)
        // After a failure nobody is held up again.
        if stage == .unstored {
            stage = .loading(until: mixer.now + mixer.configuration.historyLoadTime)
        } else {
            stage = .failed(retry: .distantFuture)
        }
        let transport = mixer.transport
        let bound = NIOLoopBound((history: self, transport: transport), eventLoop: transport.eventLoop)
        let loop = transport.eventLoop
        Task {
            let result: Result<HistoryWriter.Loaded, any Error>
            do {
                result = .success(
                    try await writer.load(room, origin, rule, time: time, messages: messages, octets: octets))
            } catch {
                result = .failure(error)
            }
            loop.execute {
                bound.value.history.loaded(result, number: number)
                bound.value.transport.scheduler.flush()
            }
        }
    }

    private func loaded(_ result: Result<HistoryWriter.Loaded, any Error>, number: UInt64) {
        mixer.turnBegan()
        guard number == loads, stage != .unstored else { return }
        switch result {
        case .success(let loaded):
            stage = .stored
            let entries = loaded.entries.filter { $0.time >= purgedBefore }
            tail.prepend(entries.compactMap { entry(of: $0, base: loaded.base) }, limits: limits)
            count()
        case .failure(let error):
            mixer.logger.error("a room's history can't be read", metadata: ["room": "\(room)", "error": "\(error)"])
            stage = .failed(retry: mixer.now + Self.pause)
        }
        release()
    }

    private static let pause = TimeAmount.seconds(10)

    private func release() {
        for member in mixer.room(room)?.members ?? [] { member.catchUp() }
    }

    /// What the store has can have become unreadable only by somebody else's hand.
    private func entry(of stored: HistoryEntry, base: Int64) -> RoomTail<Fanout>.Entry? {
        guard let message = try? CPIMMessage(parsing: stored.cpim) else { return nil }
        let envelope = Envelope(
            cpim: ByteBuffer(bytes: stored.cpim), contentType: stored.contentType, contentStart: message.bodyOffset,
            senderName: stored.senderName)
        let fanout = Fanout(envelope, messageID: .init(stored.messageID), mixer: mixer)
        guard !fanout.cpim.goesInChunks else { return nil }
        fanout.sequence = stored.sequence - base
        return RoomTail.Entry(
            sequence: stored.sequence - base, publicCount: 0, at: .uptimeNanoseconds(0), time: stored.time,
            octets: Self.octets(of: fanout), sender: nil,
            ends: stored.recipient.map {
                PrivateEnds(sender: ParticipantURI(stored.sender), recipient: ParticipantURI($0))
            },
            isHistory: true, message: fanout)
    }
}

@available(*, unavailable)
extension RoomHistory: Sendable {}

extension Fanout: TailMessage {
    var id: UInt64 { cpim.id }
}

extension Envelope {
    /// A word about another message (RFC 5438): of use to who waits for it, not to a newcomer.
    var isNotification: Bool { contentType == "message/imdn+xml" }
}
