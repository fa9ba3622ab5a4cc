import Logging
import MSRP
import MSRPTransport
import NIOCore

/// The participant's MSRP session: what the transport says, and what the session makes of it.
extension Member: SessionOwner {
    func bound(_ connection: Connection, head: Head?) {
        guard phase != .gone, self.connection == nil else {
            connection.close(.now)
            return
        }
        guard connection.isTLS || !media.isTLS else {
            // An msrps session is for TLS alone (RFC 4975 section 6); who comes without may not be the participant.
            connection.leave(self, closing: .now)
            return
        }
        guard mixer.isExpected(connection, by: media) else {
            mixer.logger.notice(
                "a participant's certificate is not the one in its SDP",
                metadata: ["room": "\(room.address)", "member": "\(id)"])
            connection.leave(self, closing: .now)
            mixer.giveUp(self, cause: .fingerprintMismatch)
            return
        }
        if phase == .lost, let lastRemote, connection.remoteIP != lastRemote {
            // `reconnects_same_session` is for the same client.
            connection.leave(self, closing: .now)
            return
        }
        if phase == .lost, let path = Path(media.path) { replaceSession(localPath: localPath, remotePath: path) }
        self.connection = connection
        isAnswered = false
        lastRemote = connection.remoteIP
        if head == nil { sendBind(connection) }
    }

    func sendBind(_ connection: Connection) {
        bindMessage = connection.withOutput { output in
            try? session.sendEmpty(now: mixer.now, into: &output)
        }
    }

    func rawRead(_ buffer: inout ByteBuffer, from connection: Connection) {
        guard connection === self.connection else { return }
        _ = session.consumeExpectedResponses(&buffer)
        if bindMessage != nil { takeDeliveries() }
    }

    func part(_ part: Part, from connection: Connection) {
        guard connection === self.connection else { return }
        if case .body = part {
            session.configuration.maxReassemblyBytes = min(
                mixer.configuration.reassemblyPerMember, heldBytes + mixer.reassemblyBudgetLeft)
        }
        let now = mixer.now
        if case .head(let head) = part, head.method != nil, isAnswered { noteRequest(on: connection, now: now) }
        let event = connection.withOutput { session.receive(part, now: now, into: &$0) }
        if case .head = part {} else { noteHeld() }
        if let event {
            take(event, from: connection)
        } else if case .end = part {
            // A chunk binds as well as a whole message does.
            peerBound()
        }
        if bindMessage != nil { takeDeliveries() } else { while session.nextDelivery() != nil {} }
    }

    func take(_ event: EndpointSession.Event, from connection: Connection) {
        switch event {
        case .message(let message, let pending):
            take(message, pending, from: connection)
        case .empty:
            peerBound()
        case .request(let head, _, let pending):
            let status = head.method == .nickname ? room.requestNickname(head.useNickname, by: self) : .unknownMethod
            connection.withOutput { session.respond(pending, status, into: &$0) }
            peerBound()
        case .response(let head, let status):
            if !receiving.isEmpty, !status.isSuccess, let id = head.transactionID.value { stopSending(id) }
            refused(by: status, of: head.transactionID.value, connection)
        case .report(let report):
            // In namespace 000 a report means what the response would (RFC 4975 section 7.3.2).
            if report.namespace == 0 { refused(by: report.status, connection) }
        case .refused:
            mixer.counters.messagesRefused &+= 1
            peerBound()
        case .aborted:
            break
        case .streamBegan, .streamOctets, .streamChunkEnded, .streamEnded:
            takeStream(event, from: connection)
        }
    }

    /// What the peer, or a relay before it, said of a message of ours.
    /// - Parameter id: of the SEND, where that is known.
    func refused(by status: Status, of id: UInt64? = nil, _ connection: Connection) {
        guard !status.isSuccess else { return }
        noteFailure(status)
        switch status {
        // The session is gone at the other end, or out of reach (RFC 4975 sections 10.4, 10.8 and 10.10).
        case .noSuchSession, .timeout, .sessionInUse:
            if let id { backlog.refused.append((id, mixer.now)) }
            connection.close(.now)
        default: break
        }
    }

    /// A request of the peer was answered: if it was the first one, the session is bound now.
    func peerBound() {
        isAnswered = true
        activateWhenBound()
    }

    /// Who connects before the answer to our offer has come is bound, but its path is not known yet.
    func activateWhenBound() {
        if isAnswered, bindMessage == nil, !media.path.isEmpty { activate() }
    }

    /// What became of our empty SEND.
    func takeDeliveries() {
        while let delivery = session.nextDelivery() {
            guard delivery.messageID == bindMessage else { continue }
            bindMessage = nil
            if delivery.outcome == .acknowledged {
                activate()
            } else {
                mixer.giveUp(self, cause: .bindRefused)
            }
        }
    }

    func writable(_ connection: Connection) {
        guard connection === self.connection else { return }
        if !pieces.isEmpty { sendPieces(connection) }
        if !backlog.isCurrent { catchUp() }
        if isWatched { observe(now: mixer.now) }
        // What the channel holds while it takes more is too little to matter before the next tick, unless others wait.
        if isWatched, pieces.isEmpty, connection.isCongested || isSlow { connection.notifyWhenWritable() }
    }

    func closed(_ connection: Connection, reason: CloseReason) {
        guard connection === self.connection else { return }
        room.passOn()
        self.connection = nil
        forgetHeld()
        abortStreams()
        forgetPieces()
        if bindMessage != nil {
            bindMessage = nil
            mixer.giveUp(self, cause: .connectFailed)
            return
        }
        mixer.logger.debug(
            "a participant's connection ended",
            metadata: ["room": "\(room.address)", "member": "\(id)", "reason": "\(reason)"])
        lost()
    }

    /// A client may run its sessions of several rooms over one connection (RFC 4975 section 5.4).
    func sharing(on connection: Connection) -> ConnectionSharing { .members }

    func reservationExpired(_ session: SessionID) {
        guard session == sessionID else { return }
        sessionID = nil
        mixer.giveUp(self, cause: .neverConnected)
    }

    func ticked(at now: NIODeadline) {
        if let graceDeadline, graceDeadline <= now {
            mixer.giveUp(self, cause: .graceExpired)
            return
        }
        expireStreams(now: now)
        if !backlog.isCurrent { catchUp() }
        guard let connection, session.outstanding > 0 || heldBytes > 0 else { return }
        // The 30 seconds start when the last octet has left (RFC 4975 section 7.1.1).
        if connection.isCongested, isWatched || !backlog.isCurrent { return }
        // Nor can an answer be seen while nobody reads; when somebody does again, it has the whole time.
        if connection.isReadingPaused {
            pausedAt = now
            return
        }
        if let pausedAt {
            guard now - pausedAt >= mixer.configuration.transactionTimeout else { return }
            self.pausedAt = nil
        }
        let expired = session.expire(now: now)
        noteHeld()
        guard !expired.timedOut.isEmpty else { return }
        backlog.refused += expired.timedOut.map { ($0, now - mixer.configuration.transactionTimeout) }
        mixer.counters.transactionTimeouts &+= 1
        mixer.logger.info(
            "a participant does not answer", metadata: ["room": "\(room.address)", "member": "\(id)"])
        connection.close(.now)
    }
}
