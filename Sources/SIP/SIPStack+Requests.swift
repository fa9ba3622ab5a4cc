import CSofia

// Requests of ours outside of calls.
extension SIPStack {
    /// Sends a request outside of any call; its responses come as `SIPEvent.answer`, the first of them after this
    /// returned. NOTIFYs that a REFER leads to come as `SIPEvent.notify`, for five minutes.
    ///
    /// - Parameters:
    ///   - from: a From value without tag, such as `"Alice" <sip:alice@h>`.
    ///   - to: a To value; the target when nil.
    ///   - contact: a Contact value; the listener's address when nil, for those methods that need one.
    ///   - route: where to send it instead of where the target says.
    ///   - retrying: a request that was challenged (401, 407): the new one goes on with its Call-ID and From tag, its
    ///     CSeq one higher (RFC 3261 section 22.2); put the Authorization into `headers`.
    package func send(
        _ method: String, to target: SIPURI, from: String, to: String? = nil, contact: String? = nil,
        route: Endpoint? = nil, headers: [HeaderField] = [], body: MessageBody? = nil, retrying: Exchange? = nil
    ) -> Exchange {
        start(
            Errand(
                method: method, target: target, from: from, to: to, contact: contact, route: route, headers: headers,
                body: body, identity: retrying.flatMap { challengedExchanges.identity(of: $0) }),
            continuation: nil) ?? failLocally(503, "Not running")
    }

    /// Sends OPTIONS and waits for the final response; a timeout answers 408 after 32 s.
    package func options(
        _ target: SIPURI, from: String, headers: [HeaderField] = []
    ) async -> (response: Response, roundTrip: Duration) {
        let clock = ContinuousClock()
        let begin = clock.now
        let response = await withCheckedContinuation { (continuation: CheckedContinuation<Response, Never>) in
            let errand = Errand(method: "OPTIONS", target: target, from: from, headers: headers)
            if start(errand, continuation: continuation) == nil {
                continuation.resume(returning: .local(status: 503, phrase: "Not running"))
            }
        }
        return (response, clock.now - begin)
    }

    /// What is to be sent.
    private struct Errand {
        let method: String
        let target: SIPURI
        let from: String
        var to: String?
        var contact: String?
        var route: Endpoint?
        var headers: [HeaderField] = []
        var body: MessageBody?
        var identity: RequestIdentity?

        /// RFC 3515 section 2.2, RFC 6665 section 3.1.6.4.
        var needsContact: Bool { method == "REFER" || method == "SUBSCRIBE" }
    }

    private func start(_ errand: Errand, continuation: CheckedContinuation<Response, Never>?) -> Exchange? {
        let way = way(to: errand.target, by: errand.route)
        var contact = errand.contact
        if contact == nil, errand.needsContact {
            contact = listenerContact(towards: way.endpoint ?? errand.target.transportHint)
        }
        var headers = errand.headers
        headers.addIfAbsent("Supported", configuration.understood.joined(separator: ", "))
        let from = errand.identity.map { "\(errand.from);tag=\($0.fromTag)" } ?? errand.from
        let destination = Destination(
            target: errand.target, from: from, to: errand.to, route: way.endpoint, identity: errand.identity,
            name: way.name)
        let pointer = Content(contact: contact, headers: headers, body: errand.body).withC { content in
            destination.withC { destination in stack.flatMap { cs_send($0, errand.method, destination, content) } }
        }
        guard let pointer else { return nil }
        let exchange = Exchange(id: cs_exchange_id(pointer))
        exchanges[exchange.id] = ExchangeRecord(continuation: continuation)
        if errand.method == "REFER" { keepReferral(exchange, pointer) }
        return exchange
    }

    /// An exchange that never came to be: its answer comes when its sender knows of it.
    func failLocally(_ status: Int, _ phrase: String) -> Exchange {
        lastLocalCall &-= 1
        let exchange = Exchange(id: lastLocalCall)
        schedule(after: .zero) { [weak self] in
            self?.assumeIsolated { $0.deliver(.answer(exchange, .local(status: status, phrase: phrase))) }
        }
        return exchange
    }

    // MARK: What a REFER leads to

    private func keepReferral(_ exchange: Exchange, _ pointer: OpaquePointer) {
        let dialog = cs_exchange_keep(pointer)
        let id = cs_dialog_id(dialog)
        dialogs[id] = DialogRecord(pointer: dialog, origin: .sent(exchange))
        if let oldest = referrals.add(exchange, id, limit: configuration.maximumReferrals) { drop(oldest) }
        schedule(after: Referrals.life) { [weak self] in
            self?.assumeIsolated { $0.forgetReferral(exchange) }
        }
    }

    func forgetReferral(_ exchange: Exchange) {
        if let id = referrals.remove(exchange) { drop(id) }
    }

    private func drop(_ id: UInt64) {
        if let record = dialogs.removeValue(forKey: id) { cs_dialog_close(record.pointer) }
    }

    // MARK: What the stack adds

    /// What every response to a request outside of a session shows.
    func addCapabilities(to headers: inout [HeaderField], method: String, status: Int) {
        headers.addIfAbsent("Supported", configuration.understood.joined(separator: ", "))
        headers.addIfAbsent("Allow", configuration.allow.joined(separator: ", "))
        if method == "OPTIONS" || method == "SUBSCRIBE" || method == "REFER" || status == 489 {
            headers.addIfAbsent("Allow-Events", configuration.allowEvents.joined(separator: ", "))
        }
    }

    /// The address of the listener by which we reach `peer`, as a Contact value.
    func listenerContact(towards peer: Endpoint) -> String? {
        let facing = listeners.filter { $0.transport == peer.transport }
        let sameFamily = facing.filter { $0.isIPv6 == peer.isIPv6 }
        guard let listener = sameFamily.first ?? facing.first ?? listeners.first else { return nil }
        let suffix = listener.transport == .tcp ? ";transport=tcp" : ""
        return "<\(listener.transport == .tls ? "sips" : "sip"):\(listener.authority)\(suffix)>"
    }
}

extension SIPURI {
    /// Where it leads by its own words.
    var transportHint: Endpoint {
        let named = parameter("transport").flatMap { SIPTransport(rawValue: $0.lowercased()) }
        let transport = isSecure ? SIPTransport.tls : named ?? .udp
        return Endpoint(transport: transport, host: host, port: port ?? transport.defaultPort)
    }
}
