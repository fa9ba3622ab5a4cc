import Logging
import MSRPTransport
import NIOCore

/// A participant that takes less than is said to it.
extension Member {
    func watch() {
        guard !isWatched else { return }
        isWatched = true
        mixer.watch(self)
        connection?.notifyWhenWritable()
    }

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
        let verdict = slow.observe(
            queued: queued, enqueued: connection.enqueuedBytes &+ UInt64(clamping: chunkedBytes), bound: bound,
            wait: mixer.configuration.slowMemberWait, patience: mixer.configuration.slowMemberPatience, now: now)
        // A message too many for the bound would leave a hole in what this participant sees.
        if verdict == .giveUp || (size > 0 && queued + size > bound + mixer.configuration.maximumMessageSize) {
            giveUpSlow()
            isWatched = false
            return false
        }
        setSlow(verdict == .slow)
        isWatched = queued > 0 || connection.isCongested
        return isWatched
    }

    func setSlow(_ value: Bool) {
        guard isSlow != value else { return }
        isSlow = value
        room.memberBecame(slow: value)
    }

    func giveUpSlow() {
        guard let connection, phase == .active else { return }
        mixer.counters.slowMembersRemoved &+= 1
        mixer.logger.info(
            "closing the connection of a participant that takes too little",
            metadata: ["room": "\(room.address)", "member": "\(id)", "queued": "\(queuedBytes)"])
        setSlow(false)
        connection.close(.now)
    }
}
