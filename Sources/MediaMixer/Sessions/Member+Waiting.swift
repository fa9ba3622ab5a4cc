import Logging
import MSRP
import MSRPTransport
import NIOCore

/// What a participant has not been given yet of what was said: while it waits for its media, after a loss, and while it
/// is told what was said before it came.
///
/// Numbers only: the messages are in the room's tail, so that somebody who waits costs nothing. Who waits too long has
/// missed what the tail could not keep.
struct Backlog {
    /// Gets what is said as it is said; nothing below counts then.
    var isCurrent = false
    /// Whether it has been told what was said before it came.
    var wasReplayed = false
    /// Numbers before `next`, ascending: what newcomers are told, and what had no answer when the connection was lost.
    var missed: ArraySlice<Int64> = []
    /// From here on all.
    var next: Int64
    /// How many messages for all there were before `next`.
    var publicCount: Int64
    /// SENDs that were refused together with the session, or had no answer in time.
    var refused: [(id: UInt64, sent: NIODeadline)] = []
    /// Messages for all that it has missed for good.
    var lost: Int64 = 0

    init(after history: RoomHistory) {
        next = history.lastSequence + 1
        publicCount = history.publicCount
    }
}

extension Member {
    /// Octets given to the connection in one turn, so that what others say gets in between.
    private static let octetsPerTurn = 256 * 1024
    private static let messagesPerTurn = 512

    /// The connection is gone, or another takes its place: from now on everything waits, and what the participant has not
    /// acknowledged is sent once more (RFC 4975 section 5.4).
    func fallBehind() {
        room.passOn()
        let history = room.history
        let unanswered = backlog.refused + session.unansweredShared
        backlog.refused = []
        let (found, unknown) = history.tail.sequences(ofIDs: unanswered.map(\.id))
        if backlog.isCurrent {
            let lost = backlog.lost
            backlog = Backlog(after: history)
            backlog.wasReplayed = true
            backlog.lost = lost
            backlog.missed = found[...]
        } else {
            backlog.missed = found[...] + backlog.missed
        }
        // Room lines and the like are in no tail; what was said before the tail begins is lost.
        if let gone = history.tail.newestGone {
            backlog.lost += Int64(unanswered.count { unknown.contains($0.id) && $0.sent <= gone })
        }
        noteTerms()
    }

    /// Gives the participant what it has missed, as fast as it takes it; then it is current.
    func catchUp() {
        guard phase == .active, !backlog.isCurrent, room.history.isReadable, let connection else { return }
        // What waits for the end of the turn is in the tail already.
        room.passOn()
        if !backlog.wasReplayed { beginReplay() }
        var octets = 0
        var messages = 0
        while connection.isOpen, !connection.isCongested {
            guard let entry = nextMissed() else { return becomeCurrent() }
            guard octets < Self.octetsPerTurn, messages < Self.messagesPerTurn else { break }
            if mayHear(entry), let form = form(of: entry.message) {
                // Too much is unanswered: the next tick goes on.
                guard session.registerShared(id: form.id, now: mixer.now) else { return }
                connection.enqueueShared(id: form.id, sendLines: sendLines, tail: form.tail)
                octets += form.size
                messages += 1
            }
            pass(entry)
        }
        if connection.isOpen { connection.notifyWhenWritable() }
    }

    /// A newcomer: what was said before, and of what was said since its INVITE as much as may wait.
    private func beginReplay() {
        backlog.wasReplayed = true
        let history = room.history
        backlog.missed =
            history.tail.replay(
                history.rule, to: participant, time: mixer.wallMilliseconds(), before: history.lastSequence + 1)[...]
        let waiting = history.tail.entries(from: backlog.next).filter { $0.sender != id }
        var octets = 0
        let kept = waiting.reversed().prefix(mixer.configuration.messagesBeforeBind).prefix { entry in
            octets += entry.message.cpim.size
            return octets <= mixer.configuration.bytesBeforeBind
        }
        let replayed = Set(backlog.missed)
        let extra = kept.map(\.sequence).filter { !replayed.contains($0) }
        backlog.missed = (backlog.missed + extra).sorted()[...]
        let told = Set(backlog.missed)
        backlog.lost += Int64(waiting.count { $0.ends == nil && !told.contains($0.sequence) })
        backlog.lost += max(0, history.tail.publicGone - backlog.publicCount)
        backlog.next = history.lastSequence + 1
        backlog.publicCount = history.publicCount
    }

    private func nextMissed() -> RoomTail<Fanout>.Entry? {
        let tail = room.history.tail
        while let number = backlog.missed.first {
            if let entry = tail.entry(number) { return entry }
            backlog.missed.removeFirst()
            if number > 0 { backlog.lost += 1 }
        }
        if tail.publicGone > backlog.publicCount {
            backlog.lost += tail.publicGone - backlog.publicCount
            backlog.publicCount = tail.publicGone
        }
        return tail.first(from: backlog.next)
    }

    private func pass(_ entry: RoomTail<Fanout>.Entry) {
        if entry.sequence == backlog.missed.first {
            backlog.missed.removeFirst()
        } else {
            backlog.next = entry.sequence + 1
            backlog.publicCount = max(backlog.publicCount, entry.publicCount)
        }
    }

    private func becomeCurrent() {
        let lost = backlog.lost
        backlog.lost = 0
        backlog.missed = []
        backlog.isCurrent = true
        noteTerms()
        sayLeftOut()
        guard lost > 0 else { return }
        mixer.counters.messagesDropped &+= UInt64(lost)
        mixer.logger.info(
            "a participant has missed messages",
            metadata: ["room": "\(room.address)", "member": "\(id)", "messages": "\(lost)"])
        let what = lost == 1 ? "1 message was" : "\(lost) messages were"
        sendNow(SystemLine(event: .history, text: "\(what) lost while you were away."))
    }

    private func mayHear(_ entry: RoomTail<Fanout>.Entry) -> Bool {
        guard entry.sender != id else { return false }
        guard let ends = entry.ends else { return true }
        // What others were told in private, the sender's own other devices were not; as history it is for both ends.
        let isMine = ends.recipient == participant || entry.isHistory && ends.sender == participant
        return isMine && takesPrivateMessages
    }

    /// The form in which this participant takes a message; nil: it doesn't.
    private func form(of message: Fanout) -> Fanout.Shared? {
        guard media.direction.peerReceives, accepted.isEverything || accepted.accepts(message.envelope.contentType),
            let form = media.format == .cpim ? message.cpim : message.text, !form.goesInChunks
        else { return nil }
        if let maximum = media.maximumSize, form.size > maximum { return nil }
        return form
    }
}
