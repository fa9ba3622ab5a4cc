import CSofia

extension SIPStack {
    // MARK: Answering

    /// Answers a request; 1xx may be sent several times, a final response once. Does nothing when the transaction is
    /// gone (answered, cancelled).
    ///
    /// - Parameters:
    ///   - phrase: the RFC's own when nil.
    ///   - contact: a whole Contact value such as `<sip:room@h:5060>;isfocus`; a 2xx to INVITE, UPDATE, OPTIONS,
    ///     SUBSCRIBE or REFER without one shows the dialog's, or the listener's address.
    ///   - headers: in addition to what the stack adds (Allow, Supported, Accept, Allow-Events, Server, session timer
    ///     headers); one of these given here replaces the stack's.
    package func respond(
        to transaction: Transaction, status: Int, phrase: String? = nil, contact: String? = nil,
        headers: [HeaderField] = [], body: MessageBody? = nil
    ) {
        guard let found = transactions[transaction.id], (100...699).contains(status) else { return }
        var headers = headers
        var opaque: [HeaderField] = []
        let isSuccess = (200..<300).contains(status)
        let record = found.call.flatMap { calls[$0.id] }
        if isSuccess, found.kind.showsCapabilities {
            headers.addIfAbsent("Accept", configuration.accept.joined(separator: ", "))
        }
        var contact = contact
        if case .other(let method) = found.kind {
            addCapabilities(to: &headers, method: method, status: status)
            if contact == nil, isSuccess, method == "SUBSCRIBE" || method == "REFER" {
                contact = record?.contact ?? dialogs[found.dialog]?.origin.contact
            }
        } else if isSuccess {
            opaque = configuration.timerSupport + (found.sessionTimer?.headers ?? [])
        }
        if let record, isSuccess {
            if found.kind != .update || body != nil, body?.mediaType == "application/sdp" {
                record.localDescription = body
            }
            if let agreed = found.sessionTimer?.timer { record.sessionTimer = agreed }
            if let contact { record.contact = contact }
            if found.kind == .invite { record.phase = .accepted }
            if found.kind == .update { watchSession(of: record) }
        } else if let record, status >= 300, found.kind == .invite {
            record.phase = .ending
            record.ending = .rejected(status: status)
        }
        if status >= 200 {
            transactions[transaction.id] = nil
            record?.transactions.removeAll { $0 == transaction.id }
        }
        Content(contact: contact, headers: headers, opaqueHeaders: opaque, body: body).withC { content in
            if let phrase {
                cs_respond(found.pointer, Int32(status), phrase.withoutLineBreaks, content)
            } else {
                cs_respond(found.pointer, Int32(status), nil, content)
            }
        }
    }

    // MARK: Within a call

    /// Ends a call: BYE when it is established; the pending INVITE of the peer is answered 480, ours is cancelled.
    /// `ended` comes when that is done. Before the ACK of our 2xx has come it waits for it or for its absence
    /// (RFC 3261 section 15).
    ///
    /// - Parameter reason: a Reason header's value (RFC 3326), such as `SIP;cause=200;text="room closed"`.
    package func bye(_ call: Call, reason: String? = nil, headers: [HeaderField] = []) {
        guard let record = calls[call.id] else { return }
        var headers = headers
        if let reason { headers.append(HeaderField("Reason", reason)) }
        switch record.phase {
        case .incoming:
            for id in record.transactions where transactions[id]?.kind == .invite {
                respond(to: Transaction(id: id), status: 480, headers: headers)
            }
        case .accepted:
            record.postponedBye = headers
        case .calling:
            cancel(call)
        case .answered:
            acknowledge(call)
            sendBye(record, headers)
        case .established:
            sendBye(record, headers)
        case .ending:
            break
        }
    }

    func sendBye(_ record: CallRecord, _ headers: [HeaderField]) {
        record.phase = .ending
        record.ending = record.ending ?? .hungUp
        Content(headers: headers).withC { cs_bye(record.pointer, $0) }
    }

    /// Sends INVITE within an established call; responses come as `SIPEvent.response`, a 2xx wants `acknowledge`.
    package func reinvite(_ call: Call, contact: String? = nil, headers: [HeaderField] = [], body: MessageBody? = nil) {
        guard let record = calls[call.id], record.phase == .established else { return }
        if body?.mediaType == "application/sdp" { record.localDescription = body }
        Content(contact: contact, headers: headers, opaqueHeaders: timerHeaders(record), body: body).withC {
            cs_reinvite(record.pointer, $0)
        }
    }

    /// Sends UPDATE within a call (RFC 3311).
    package func update(_ call: Call, contact: String? = nil, headers: [HeaderField] = [], body: MessageBody? = nil) {
        guard let record = calls[call.id], record.phase == .established || record.phase == .accepted else { return }
        if body?.mediaType == "application/sdp" { record.localDescription = body }
        Content(contact: contact, headers: headers, opaqueHeaders: timerHeaders(record), body: body).withC {
            cs_update(record.pointer, $0)
        }
    }

    /// What a target refresh of ours says about session timers.
    private func timerHeaders(_ record: CallRecord) -> [HeaderField] {
        configuration.timerSupport
            + (record.sessionTimer?.requestHeaders(preferences: configuration.sessionTimer) ?? [])
    }

    /// Sends later requests of this call to `endpoint` whatever the Contact says (the packet's source, for clients
    /// behind NAT); nil goes back to the dialog's own route. A live connection to it is reused.
    package func setRoute(_ call: Call, _ endpoint: Endpoint?) {
        guard let record = calls[call.id] else { return }
        cs_route(record.pointer, endpoint?.routeURI())
    }

    /// What was agreed about session timers; nil when there is none or the call is gone.
    package func sessionTimer(of call: Call) -> AgreedSessionTimer? {
        calls[call.id]?.sessionTimer.map {
            AgreedSessionTimer(interval: $0.interval, refresher: $0.refresher == .us ? .us : .peer)
        }
    }

    // MARK: Calling

    /// Sends an INVITE. Responses come as `SIPEvent.response`; each 2xx wants `acknowledge`.
    ///
    /// - Parameters:
    ///   - target: the request URI; `;transport=tcp` and the sips scheme choose the transport.
    ///   - from: a From value without tag, such as `"Alice" <sip:alice@h>`.
    ///   - to: a To value; the target when nil.
    ///   - contact: a Contact value; the listener's address when nil.
    ///   - route: where to send it instead of where the target says.
    ///   - retrying: an INVITE that was challenged (401, 407): the new one goes on with its Call-ID and From tag, its
    ///     CSeq one higher (RFC 3261 section 22.2); put the Authorization into `headers`.
    package func invite(
        _ target: SIPURI, from: String, to: String? = nil, contact: String? = nil, route: Endpoint? = nil,
        headers: [HeaderField] = [], body: MessageBody? = nil, retrying: Call? = nil
    ) -> Call {
        var from = from
        let identity = retrying.flatMap { challenges.identity(of: $0) }
        if let identity { from += ";tag=\(identity.fromTag)" }
        var opaque = configuration.timerSupport
        if configuration.sessionTimer.interval > 0 {
            opaque.append(HeaderField("Session-Expires", "\(configuration.sessionTimer.interval)"))
            opaque.append(HeaderField("Min-SE", "\(configuration.sessionTimer.minimum)"))
        }
        let way = way(to: target, by: route)
        let destination = Destination(
            target: target, from: from, to: to, route: way.endpoint, identity: identity, name: way.name)
        let content = Content(contact: contact, headers: headers, opaqueHeaders: opaque, body: body)
        let pointer = content.withC { content in
            destination.withC { destination in stack.flatMap { cs_invite($0, destination, content) } }
        }
        guard let pointer else {
            // The stack is going down: the call fails at once, but not before its caller knows of it.
            lastLocalCall &-= 1
            let call = Call(id: lastLocalCall)
            schedule(after: .zero) { [weak self] in
                self?.assumeIsolated { $0.deliver(.ended(call, .failed(status: 503, phrase: "Not running"))) }
            }
            return call
        }
        let call = Call(id: cs_call_id(pointer))
        let record = CallRecord(call: call, pointer: pointer, phase: .calling)
        record.localDescription = body?.sessionDescription
        record.contact = contact ?? listenerContact(towards: destination.route ?? target.transportHint)
        calls[call.id] = record
        return call
    }

    /// Sends the ACK of a 2xx, with the SDP answer when the 2xx carried the offer.
    package func acknowledge(_ call: Call, headers: [HeaderField] = [], body: MessageBody? = nil) {
        guard let record = calls[call.id] else { return }
        if body?.mediaType == "application/sdp" { record.localDescription = body }
        if record.phase == .answered { record.phase = .established }
        Content(headers: headers, body: body).withC { cs_ack(record.pointer, $0) }
        watchSession(of: record)
    }

    /// Cancels an INVITE of ours that has no final response yet (RFC 3261 section 9.1). A 2xx that crosses it is
    /// acknowledged and followed by BYE.
    package func cancel(_ call: Call) {
        guard let record = calls[call.id], record.phase == .calling, record.ending == nil else { return }
        record.ending = .cancelled
        cs_cancel(record.pointer)
    }
}

extension TransactionRecord.Kind {
    /// Whether a 2xx shows Accept (RFC 3261 sections 11.2 and 13.3.1.4).
    var showsCapabilities: Bool { self == .invite || self == .reinvite || self == .other(method: "OPTIONS") }
}

extension SIPConfiguration {
    /// Every option tag that may be required of us; "timer" is the stack's own.
    var understood: [String] {
        sessionTimer.interval > 0 && !supported.contains("timer")
            ? supported + ["timer"] : supported.filter { $0 != "timer" || sessionTimer.interval > 0 }
    }
}

extension SIPConfiguration {
    /// "timer" beside the Supported that the library writes itself.
    var timerSupport: [HeaderField] { sessionTimer.interval > 0 ? [HeaderField("Supported", "timer")] : [] }
}

extension [HeaderField] {
    mutating func addIfAbsent(_ name: String, _ value: String) {
        guard !value.isEmpty, !contains(where: { $0.name.equalsIgnoringCase(name) }) else { return }
        append(HeaderField(name, value))
    }
}

extension Endpoint {
    /// As a URI to send to.
    ///
    /// - Parameter name: what the peer's certificate must show, where the host is an address that was found for it.
    func routeURI(named name: String? = nil) -> String {
        guard let name, transport == .tls else { return "sip:\(authority);transport=\(transport.rawValue)" }
        return "sip:\(name):\(port);transport=tls;maddr=\(uriHost)"
    }
}
