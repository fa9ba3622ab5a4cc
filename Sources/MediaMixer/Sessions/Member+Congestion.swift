import Logging
import MSRPTransport
import NIOCore

/// A participant that takes less than is said to it (RFC 7701 section 6.4).
extension Member {
    func watch() {
        if connection?.isCongested == true || !isWatched { connection?.notifyWhenWritable() }
        guard !isWatched else { return }
        isWatched = true
        mixer.watch(self)
    }

    /// - Parameter size: octets that are about to be enqueued.
    /// - Returns: whether the member still has to be watched.
    @discardableResult
    func observe(adding size: Int = 0, now: NIODeadline) -> Bool {
        guard let connection, phase == .active else {
            isWatched = false
            setSlow(false)
            return false
        }
        let queued = queuedBytes
        let bound = mixer.configuration.queueBound
        let wasCongested = slow.isCongested
        let verdict = slow.observe(
            queued: queued, enqueued: connection.enqueuedBytes &+ UInt64(clamping: chunkedBytes), bound: bound,
            patience: mixer.configuration.slowMemberPatience, now: now)
        // A message too many for the bound would leave a hole in what this participant sees.
        let isTooMuch = size > 0 && queued + size > bound + mixer.configuration.maximumMessageSize
        if isTooMuch || hasBeenCongestedTooLong(now: now) {
            giveUpSlow()
            isWatched = false
            return false
        }
        setSlow(verdict == .slow && !leavesOut)
        if slow.isCongested != wasCongested { congestionChanged() }
        isWatched = queued > 0 || connection.isCongested
        return isWatched
    }

    private func hasBeenCongestedTooLong(now: NIODeadline) -> Bool {
        guard let since = slow.congestedSince,
            case .disconnect(let seconds) = room.terms.configuration.congestion
        else { return false }
        guard now - since >= .seconds(Int64(max(0, seconds))) else { return false }
        // Who takes so much is not congested, but told a lot: its time begins anew.
        guard takesMuch() else { return true }
        slow.restartCongestion(now: now)
        return false
    }

    /// Whether it has taken an eighth of its queue's bound since this was asked last, or since half of that was queued.
    func takesMuch() -> Bool { slow.tookMuch(bound: mixer.configuration.queueBound) }

    /// It has caught up too little to be told what is said in the room.
    var leavesOut: Bool { slow.isCongested && room.terms.configuration.congestion == .drop }

    /// Whether a message may be begun for a participant whose octets don't flow; asked once, before its first octet.
    /// What was begun is ended, so that a message in chunks counts as one. What is left out is counted.
    func admits(_ envelope: Envelope, size: Int, now: NIODeadline) -> Bool {
        guard !envelope.isEphemeral else {
            mixer.counters.messagesLeftOut &+= 1
            return false
        }
        watch()
        observe(adding: size, now: now)
        guard connection?.isOpen == true else { return false }
        guard leavesOut else { return true }
        mixer.counters.messagesLeftOut &+= 1
        if envelope.senderName != nil { leftOut &+= 1 }
        return false
    }

    /// Whether a private message would get lost among what waits already.
    func isCongested(now: NIODeadline) -> Bool {
        if isWatched { observe(now: now) }
        return slow.isCongested || connection?.isOpen == false
    }

    private func congestionChanged() {
        noteTerms()
        if slow.isCongested {
            mixer.counters.membersCongested &+= 1
            mixer.logger.info(
                "a participant is congested",
                metadata: ["room": "\(room.address)", "member": "\(id)", "queued": "\(queuedBytes)"])
            sayCongested()
        } else {
            sayLeftOut()
        }
    }

    /// There is room for the notice: a fifth of the bound is free.
    private func sayCongested() {
        let text =
            switch room.terms.configuration.congestion {
            case .drop: "Your connection is too slow: messages are left out until you have caught up."
            case .disconnect(let seconds):
                "Your connection is too slow: you will be disconnected unless you catch up within \(seconds) seconds."
            }
        sendNow(SystemLine(event: .congestion, text: text))
    }

    func sayLeftOut() {
        // Else it is told when it is current again.
        guard leftOut > 0, connection?.isOpen == true else { return }
        let text = leftOut == 1 ? "1 message was left out." : "\(leftOut) messages were left out."
        leftOut = 0
        sendNow(SystemLine(event: .congestion, text: text))
    }

    func setSlow(_ value: Bool) {
        guard isSlow != value else { return }
        isSlow = value
        room.memberBecame(slow: value)
    }

    /// Senders have waited for it long enough.
    func stopHoldingUp(now: NIODeadline) {
        guard room.terms.configuration.congestion == .drop else { return giveUpSlow() }
        guard !slow.isCongested else { return setSlow(false) }
        slow.becomeCongested(now: now)
        setSlow(false)
        congestionChanged()
    }

    func giveUpSlow() {
        setSlow(false)
        guard let connection, phase == .active, connection.isOpen else { return }
        mixer.counters.slowMembersRemoved &+= 1
        mixer.logger.info(
            "closing the connection of a participant that takes too little",
            metadata: ["room": "\(room.address)", "member": "\(id)", "queued": "\(queuedBytes)"])
        connection.close(.now)
    }

    /// A connection ended: nothing is queued on the next one.
    func forgetCongestion() {
        setSlow(false)
        slow = SlowReceiver()
        pausedAt = nil
    }
}
