import CSofia
import Logging

extension SIPStack {
    /// Takes one event of the C shim; what it points to is copied before this returns.
    func handle(_ event: cs_event) {
        switch event.kind {
        case CS_INVITE: invited(event)
        case CS_REINVITE: requestedWithin(event, kind: .reinvite)
        case CS_UPDATE: requestedWithin(event, kind: .update)
        case CS_ACK: acknowledged(event)
        case CS_CANCEL: cancelled(event)
        case CS_BYE: hungUp(event)
        case CS_ACK_TIMEOUT: calls[event.id]?.ending = .unacknowledged
        case CS_REQUEST: requested(event)
        case CS_RESPONSE: responded(event)
        case CS_ANSWER: answered(event)
        case CS_TERMINATED: terminated(event)
        case CS_TIMER: timerFired(event.id)
        case CS_STOPPED: stopped()
        default: break
        }
    }

    private func invited(_ event: cs_event) {
        guard let pointer = event.call, let transaction = event.transaction else { return }
        guard let request = Request(event.message) else { return refuseUnreadable(transaction) }
        let record = CallRecord(call: Call(id: event.id), pointer: pointer, phase: .incoming)
        record.learn(from: request.headers)
        calls[event.id] = record
        register(transaction, event.transaction_id, kind: .invite, record: record, request: request)
        deliver(.invite(record.call, Transaction(id: event.transaction_id), request))
    }

    private func requestedWithin(_ event: cs_event, kind: TransactionRecord.Kind) {
        guard let transaction = event.transaction else { return }
        guard let request = Request(event.message) else { return refuseUnreadable(transaction) }
        guard let record = calls[event.id] else { return cs_transaction_discard(transaction) }
        record.learn(from: request.headers)
        register(transaction, event.transaction_id, kind: kind, record: record, request: request)
        let id = Transaction(id: event.transaction_id)
        deliver(kind == .update ? .update(record.call, id, request) : .reinvite(record.call, id, request))
    }

    /// The library could read it and we can't: nobody else will answer it.
    private func refuseUnreadable(_ transaction: OpaquePointer) {
        var content = cs_content()
        cs_respond(transaction, 400, nil, &content)
    }

    private func register(
        _ pointer: OpaquePointer, _ id: UInt64, kind: TransactionRecord.Kind, record: CallRecord, request: Request
    ) {
        record.transactions.append(id)
        transactions[id] = TransactionRecord(
            pointer: pointer, kind: kind, call: record.call,
            sessionTimer: SessionTimer.answer(to: request.headers, preferences: configuration.sessionTimer))
    }

    private func requested(_ event: cs_event) {
        guard let pointer = event.transaction else { return }
        guard let request = Request(event.message) else { return refuseUnreadable(pointer) }
        let transaction = Transaction(id: event.transaction_id)
        let record = calls[event.id]
        transactions[transaction.id] = TransactionRecord(
            pointer: pointer, kind: .other(method: request.method), call: record?.call,
            dialog: event.dialog_id)
        if let record {
            record.transactions.append(transaction.id)
            deliver(.inDialogRequest(record.call, transaction, request))
        } else if let dialog = dialogs[event.dialog_id] {
            switch dialog.origin {
            case .accepted: deliver(.dialogRequest(Dialog(id: event.dialog_id), transaction, request))
            case .sent(let exchange) where request.method == "NOTIFY": deliver(.notify(exchange, transaction, request))
            case .sent: respond(to: transaction, status: 481)
            }
        } else if event.id != 0 || event.dialog_id != 0 {
            // What it came within ended while it waited in the queue.
            respond(to: transaction, status: 481)
        } else {
            deliver(.request(transaction, request))
        }
    }

    private func acknowledged(_ event: cs_event) {
        guard let record = calls[event.id], record.phase != .ending else { return }
        if record.phase == .accepted { record.phase = .established }
        watchSession(of: record)
        let body = MessageBody(event.message)
        if let headers = record.postponedBye {
            record.postponedBye = nil
            sendBye(record, headers)
        }
        deliver(.acknowledged(record.call, body))
    }

    private func cancelled(_ event: cs_event) {
        guard let record = calls[event.id] else { return }
        let invites = record.transactions.filter { id in
            transactions[id]?.kind == .invite || transactions[id]?.kind == .reinvite
        }
        if record.phase == .incoming {
            record.phase = .ending
            record.ending = .cancelled
        }
        for id in invites {
            discard(id, of: record)
            deliver(.cancelled(record.call, Transaction(id: id)))
        }
    }

    private func hungUp(_ event: cs_event) {
        guard let record = calls[event.id], let request = Request(event.message) else { return }
        // The library has answered what was pending with 487.
        for id in record.transactions where transactions[id]?.kind != nil { discard(id, of: record) }
        record.phase = .ending
        record.ending = record.ending ?? .bye
        deliver(.bye(record.call, request))
    }

    private func terminated(_ event: cs_event) {
        guard let record = calls[event.id] else { return }
        let status = Int(event.status)
        let phrase = event.phrase.map { String(cString: $0) } ?? ""
        end(record.call, record.ending ?? .failed(status: status, phrase: phrase))
    }

    /// Forgets a call and says so.
    func end(_ call: Call, _ ending: Ending) {
        guard let record = calls.removeValue(forKey: call.id) else { return }
        if let timer = record.sessionDeadline { cancel(timer) }
        for id in record.transactions { discard(id, of: record) }
        deliver(.ended(call, ending))
    }

    /// Drops a transaction that the library answered, or answers for us when it is none of its own.
    private func discard(_ id: UInt64, of record: CallRecord) {
        record.transactions.removeAll { $0 == id }
        guard let found = transactions.removeValue(forKey: id) else { return }
        if case .other = found.kind {
            var content = cs_content()
            cs_respond(found.pointer, 481, nil, &content)
        } else {
            cs_transaction_discard(found.pointer)
        }
    }

    // MARK: Responses

    private func responded(_ event: cs_event) {
        guard let record = calls[event.id] else { return }
        let response = Response(event)
        let method = event.method.map { String(cString: $0) } ?? ""
        if response.isSuccess { record.learn(from: response.headers) }
        switch method {
        case "BYE":
            return
        case "INVITE" where record.refresh == .invite, "UPDATE" where record.refresh == .update:
            return refreshed(record, response)
        case "INVITE" where record.phase == .calling:
            if response.isSuccess {
                record.phase = .answered
                record.sessionTimer = SessionTimer.agreed(in: response.headers, offered: nil)
            } else if !response.isProvisional {
                record.phase = .ending
                if response.isChallenge { challenges.note(record.call, response) }
                record.ending =
                    record.ending
                    ?? (response.isLocal
                        ? .failed(status: response.status, phrase: response.phrase)
                        : .rejected(status: response.status))
            }
        default:
            if !response.isProvisional, !response.isSuccess, response.status == 408 || response.status == 481 {
                record.ending = record.ending ?? .failed(status: response.status, phrase: response.phrase)
            }
        }
        deliver(.response(record.call, method: method, response))
        // A call that was given up while its 2xx was on the way.
        if record.phase == .answered, record.ending == .cancelled, calls[event.id] != nil {
            acknowledge(record.call)
            sendBye(record, [])
        }
    }

    private func answered(_ event: cs_event) {
        guard let record = exchanges[event.id] else { return }
        let response = Response(event)
        let exchange = Exchange(id: event.id)
        if !response.isProvisional {
            exchanges[event.id] = nil
            if response.isChallenge { challengedExchanges.note(exchange, response) }
            if !response.isSuccess || response.headers["Refer-Sub"] == "false" { forgetReferral(exchange) }
        }
        if record.continuation == nil {
            deliver(.answer(exchange, response))
        } else if !response.isProvisional {
            record.finish(response)
        }
    }
}

// MARK: Copies of what C shows

extension Request {
    init?(_ message: UnsafePointer<cs_message>?) {
        guard let message = message?.pointee, let uri = SIPURI(String(message.uri)) else { return nil }
        let headers = HeaderFields(octets: [UInt8](message.headers))
        self.init(
            method: String(message.method), requestURI: uri, headers: headers,
            body: MessageBody(message.body, contentType: headers["Content-Type"]),
            source: Endpoint(message.source), local: Endpoint(message.local),
            peerNames: message.peer_names.count == 0
                ? [] : String(message.peer_names).split(separator: "\n").map(String.init))
    }
}

extension Response {
    init(_ event: cs_event) {
        let phrase = event.phrase.map { String(cString: $0) } ?? ""
        guard let message = event.message?.pointee else {
            self = .local(status: Int(event.status), phrase: phrase)
            return
        }
        let headers = HeaderFields(octets: [UInt8](message.headers))
        // A response that the stack made (a 503 after an ICMP error) has the address but none of a message's octets.
        let isLocal = message.source.port == 0 || !headers.contains("Call-ID")
        self.init(
            status: Int(event.status), phrase: phrase, headers: headers,
            body: MessageBody(message.body, contentType: headers["Content-Type"]),
            source: isLocal ? nil : Endpoint(message.source))
    }
}

extension MessageBody {
    init?(_ message: UnsafePointer<cs_message>?) {
        guard let message = message?.pointee, message.body.count > 0 else { return nil }
        let headers = HeaderFields(octets: [UInt8](message.headers))
        self.init(message.body, contentType: headers["Content-Type"])
    }

    init?(_ bytes: cs_bytes, contentType: String?) {
        guard bytes.count > 0 else { return nil }
        self.init(contentType: contentType ?? "", content: [UInt8](bytes))
    }
}

extension Endpoint {
    init(_ endpoint: cs_endpoint) {
        let transport: SIPTransport =
            switch endpoint.transport {
            case Int32(CS_TCP): .tcp
            case Int32(CS_TLS): .tls
            default: .udp
            }
        let host = withUnsafeBytes(of: endpoint.host) { String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self) }
        self.init(transport: transport, host: host, port: Int(endpoint.port), isTrusted: endpoint.trusted != 0)
    }
}

extension [UInt8] {
    init(_ bytes: cs_bytes) { self.init(UnsafeBufferPointer(start: bytes.bytes, count: bytes.count)) }
}

extension String {
    init(_ bytes: cs_bytes) {
        self.init(decoding: UnsafeBufferPointer(start: bytes.bytes, count: bytes.count), as: UTF8.self)
    }
}
