import MSRP
import MSRPTransport
import NIOCore

/// What the room says to a participant.
extension Member {
    var queuedBytes: Int { (connection?.queuedBytes ?? 0) + chunkedBytes }

    func noteTerms() {
        let takesCPIM =
            phase == .active && !leavesOut && media.direction.peerReceives && media.format == .cpim
            && (media.maximumSize ?? .max) >= mixer.configuration.maximumMessageSize
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

    func deliver(_ message: Fanout, now: NIODeadline) {
        room.passOn()
        guard media.direction.peerReceives, accepted.isEverything || accepted.accepts(message.envelope.contentType)
        else { return }
        guard phase == .active, let connection else {
            if !message.envelope.isEphemeral { keep(message) }
            return
        }
        guard let form = media.format == .cpim ? message.cpim : message.text else { return }
        if let maximum = media.maximumSize, form.size > maximum { return }
        if connection.isCongested || chunkedBytes > 0 || slow.isCongested {
            guard admits(message.envelope, size: form.size, now: now) else { return }
        }
        send(form, on: connection, now: now)
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

    private func send(_ form: Fanout.Shared, on connection: Connection, now: NIODeadline) {
        if form.goesInChunks {
            deliverInChunks(form, size: form.size, connection: connection, now: now)
        } else if session.registerShared(id: form.id, now: now) {
            connection.enqueueShared(id: form.id, sendLines: sendLines, tail: form.tail)
        } else {
            giveUpSlow()
        }
    }

    func deliverInChunks(_ form: Fanout.Shared, size: Int, connection: Connection, now: NIODeadline) {
        let message = OutgoingMessage(messageID: form.messageID, contentType: form.contentType, body: form.body)
        do throws(EndpointSession.SendRefusal) {
            try connection.withOutput { output throws(EndpointSession.SendRefusal) in
                try session.send(message, now: now, into: &output)
            }
        } catch {
            giveUpSlow()
            return
        }
        chunkedBytes += size
        connection.notifyWhenWritable()
    }

    /// Octets of chunks given to the connection in one turn, so that other messages get in between.
    static let chunkSize = 64 * 1024
    static let chunksPerTurn = 4

    func sendChunks(_ connection: Connection) {
        let now = mixer.now
        var turns = Self.chunksPerTurn
        while session.hasChunks, turns > 0, connection.isOpen {
            turns -= 1
            let before = connection.enqueuedBytes
            let wrote = connection.withOutput { session.nextChunk(now: now, limit: Self.chunkSize, into: &$0) }
            chunkedBytes = max(0, chunkedBytes - Int(clamping: connection.enqueuedBytes &- before))
            if !wrote { break }
        }
        if session.hasChunks { connection.notifyWhenWritable() } else { chunkedBytes = 0 }
    }
}
