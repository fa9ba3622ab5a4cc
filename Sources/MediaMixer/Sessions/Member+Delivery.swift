import MSRP
import MSRPTransport
import NIOCore

/// What the room says to a participant.
extension Member {
    var queuedBytes: Int { (connection?.queuedBytes ?? 0) + chunkedBytes }

    func noteTerms() {
        let takesCPIM =
            phase == .active && backlog.isCurrent && !leavesOut && media.direction.peerReceives && media.format == .cpim
            && (media.maximumSize ?? .max) >= room.maximumMessageSize
        takesEverything = takesCPIM && accepted.isEverything
        takesEveryText = takesCPIM && accepted.isEveryText
    }

    /// Usually nothing has to be asked about this receiver.
    @inline(__always)
    func deliver(_ turn: borrowing Turn, now: NIODeadline) {
        guard turn.isText ? takesEveryText : takesEverything, chunkedBytes == 0, let connection, connection.flows,
            session.registerShared(turn.batch, now: now)
        else {
            for message in turn.messages { deliver(message, now: now) }
            return
        }
        connection.enqueueShared(turn.batch, sendLines: sendLines)
    }

    /// - Parameter whole: in one SEND, however large it is.
    func deliver(_ message: Fanout, whole: Bool = false, now: NIODeadline) {
        room.passOn()
        guard media.direction.peerReceives, accepted.isEverything || accepted.accepts(message.envelope.contentType)
        else { return }
        // Others find it in the room's tail, when they can take it.
        guard phase == .active, backlog.isCurrent || message.sequence == 0, let connection else { return }
        guard let form = media.format == .cpim ? message.cpim : message.text else { return }
        if let maximum = media.maximumSize, form.size > maximum { return }
        if connection.isCongested || chunkedBytes > 0 || slow.isCongested {
            guard admits(message.envelope, size: form.size, now: now) else {
                // The connection is over: it is told after the loss.
                if message.sequence > 0, !connection.isOpen { backlog.refused.append((form.id, now)) }
                return
            }
        }
        send(form, whole: whole, on: connection, now: now)
    }

    /// Says something as the room, whatever waits already; it may not be much.
    func sendNow(_ line: SystemLine) {
        room.passOn()
        guard phase == .active, let connection, connection.isOpen, media.direction.peerReceives,
            accepted.accepts("text/plain")
        else { return }
        let message = room.fanout(line)
        guard let form = media.format == .cpim ? message.cpim : message.text else { return }
        send(form, on: connection, now: mixer.now)
    }

    private func send(_ form: Fanout.Shared, whole: Bool = false, on connection: Connection, now: NIODeadline) {
        if form.goesInChunks, takesChunks, !whole {
            for piece in form.pieces where !deliver(piece, now: now) { return }
        } else if session.registerShared(id: form.id, now: now) {
            connection.enqueueShared(id: form.id, sendLines: sendLines, tail: form.whole)
        } else {
            backlog.refused.append((form.id, now))
            giveUpSlow()
        }
    }
}
