import Logging
import MediaMixer
import Payloads
import SIP

/// The requests that dialling out sends, and a call that was taken becoming a participant's dialog.
extension Focus {
    /// What may be tried for somebody in a room.
    func terms(
        for person: Invitee, in room: RoomConfiguration, method: RoomConfiguration.DialOut?
    ) -> DialOut.Terms {
        let media = configuration.media
        let prefersTLS =
            configuration.dialling.offersTLS || person.uri.isSecure
        // Who is to leave another dialog for ours has to be called (RFC 4579 section 5.10).
        let chosen = person.replaces == nil ? method ?? room.dialOut : .invite
        return DialOut.Terms(
            method: chosen, fallback: method == nil ? room.dialOutFallback : nil, reportsRefer: method == .refer,
            offersTLS: [prefersTLS, !prefersTLS].filter { $0 ? media.allowsTLS : media.allowsTCP })
    }

    /// Whether a URI means a room of ours, or would bring the request back to us.
    func leadsToUs(_ uri: SIPURI) -> Bool {
        switch resolve(uri) {
        case .room(let address):
            rooms[address] != nil || address.user == configuration.factoryName || outbound.returns(uri)
        case .server: outbound.returns(uri)
        case .unsupportedScheme, .notFound: false
        }
    }

    /// What a URI that is no Request-URI means here. Of a wildcard listener only the system knows which addresses are
    /// its own.
    func resolve(_ uri: SIPURI) -> Resolution {
        let meaning = resolver.resolve(uri)
        guard meaning == .notFound, signalling.listeners.contains(where: \.isWildcard) else { return meaning }
        return resolver.resolve(uri, local: MediaAuthority.localAddress(facing: uri.host))
    }

    var outbound: OutboundAddress {
        OutboundAddress(listeners: signalling.listeners, proxy: configuration.dialling.proxy)
    }

    // MARK: By REFER

    func sendRefer(_ id: UInt64) {
        guard let entry = dialling[id] else { return }
        guard let request = head(of: entry) else { return withdraw(id) }
        var headers = [HeaderField("Refer-To", "<\(meetingPoint(entry.room, contact: request.contact))>")]
        headers += self.headers(of: entry) + answers(id, method: "REFER")
        let exchange = signalling.send(
            "REFER", to: entry.invitee.uri, from: request.from, to: request.to,
            contact: "<\(request.contact)>;isfocus", route: request.route, headers: headers, body: nil,
            retrying: entry.exchange)
        dialling.sent(exchange, for: id)
    }

    /// What our REFER sends people to: where the proxy leads to rooms, or the domain is our address, the room's own
    /// URI; else the one that our Contact shows, which leads to us without anybody's help.
    private func meetingPoint(_ room: RoomAddress, contact: SIPURI) -> SIPURI {
        let own = SIPURI(user: room.user, host: room.domain)
        return configuration.dialling.proxy != nil ? own : contact
    }

    // MARK: By INVITE

    func prepare(_ id: UInt64, isTLS: Bool) {
        guard let entry = dialling[id] else { return }
        guard let request = head(of: entry) else { return withdraw(id) }
        if let member = entry.member { mixer.leave(member, reason: .notCompleted) }
        _ = dialling.change(id) { entry in
            entry.member = nil
            // What ran for the attempt before this one.
            entry.timer &+= 1
        }
        let person = caller(for: entry.invitee)
        let act = RoomPolicy.Act.join(membersInside: rooms[entry.room]?.callCount ?? 0, isPlainText: false)
        if case .refuse(let status, let why) = decide(person, act, in: entry.room) {
            logger.info("not called: \(why)", metadata: metadata(entry.invitee, entry.room))
            return refuse(id, DialOutcome(status))
        }
        let authority = mediaAuthority.facing(request.peer, local: request.local.host)
        let join = JoinRequest(
            room: entry.room, roomHosts: [request.contact.host], participant: person.uri, aliases: person.aliases,
            displayName: person.displayName, account: person.account, terms: rooms[entry.room]?.terms,
            media: .offered(isTLS: isTLS),
            localHost: authority.host, localPort: authority.port, signallingSource: nil)
        Task.immediate {
            do throws(JoinRefusal) {
                prepared(id, try await mixer.reserve(join), in: join.room)
            } catch {
                refuse(id, DialOutcome(Rejection(error, agent: "").status))
            }
        }
    }

    private func prepared(_ id: UInt64, _ reservation: Reservation, in room: RoomAddress) {
        guard dialling.change(id, { $0.machine.prepared() }) == true, let entry = dialling[id] else {
            return release(reservation, of: room)
        }
        var negotiation = MSRPNegotiation(local: localMedia(in: entry.room), originID: .random(in: .min ... .max))
        let offer = negotiation.makeOffer(localPath: reservation.localPath)
        _ = dialling.change(id) { entry in
            entry.member = reservation.member
            entry.negotiation = negotiation
            entry.offer = offer
        }
        sendInvite(id)
    }

    func sendInvite(_ id: UInt64, retrying: Call? = nil) {
        guard let entry = dialling[id], let offer = entry.offer else { return }
        guard let request = head(of: entry) else { return withdraw(id) }
        var headers = self.headers(of: entry) + answers(id, method: "INVITE")
        if let replaces = entry.invitee.replaces {
            headers += [HeaderField("Replaces", replaces), HeaderField("Require", "replaces")]
        }
        let body = InvitationBody.make(
            description: offer, history: entry.sendsHistory ? entry.history : nil,
            boundary: "confd-\(UInt64.random(in: .min ... .max))")
        let call = signalling.invite(
            entry.invitee.uri, from: request.from, to: request.to, contact: "<\(request.contact)>;isfocus",
            route: request.route, headers: headers, body: body, retrying: retrying)
        dialling.sent(call, for: id)
        startTimer(id, after: configuration.dialling.answerTimeout)
    }

    /// They took the call. From here on it is a dialog like that of a participant who called without an offer, and
    /// whose ACK brings the answer to ours.
    func connect(_ id: UInt64, _ call: Call, _ response: Response, _ outcome: DialOutcome) {
        guard let entry = dialling[id], let member = entry.member, let negotiation = entry.negotiation else { return }
        _ = dialling.forget(call)
        _ = dialling.change(id) { $0.member = nil }
        var person = caller(for: entry.invitee)
        person.displayName = person.displayName ?? response.to?.displayName
        person.source = source(of: response, from: entry.invitee.identity.host)
        var dialog = ParticipantDialog(
            negotiation: negotiation, room: entry.room, caller: person, device: response.contacts.first?.uri,
            joining: .init(method: .dialledOut, since: nil, by: entry.caller?.uri), callID: response.callID)
        _ = dialog.machine.reserved(offering: true)
        dialog.member = member
        if let agent = response.userAgent { mixer.setUserAgent(agent, of: member) }
        if configuration.dialling.proxy == nil, let route = PeerRoute.source(of: response) {
            dialog.route = route
            signalling.setRoute(call, route)
        }
        dialogs[call] = dialog
        calls[member] = call
        if notifying.subscriptions.isSubscribed(person.account, to: entry.room) { mixer.setSubscribed(member, true) }
        rooms.enter(call, account: person.account, room: entry.room)
        let arrival = Roster.Arrival(dialog)
        updateRoster { roster, time in
            roster.expect(member, in: entry.room, arrival, at: time)
            return nil
        }
        signalling.acknowledge(call, body: nil)
        acknowledged(call, response.body)
        let isIn = dialogs[call]?.machine.isConfirmed ?? false
        perform(.finish(isIn ? outcome : DialOutcome(488)), id)
    }

    /// Where requests of somebody come from who took a call of ours.
    /// - Parameter host: that of its address.
    func source(of response: Response, from host: String) -> String? {
        let canProve = configuration.access.mode == .required && resolver.servedDomain(host, local: nil) != nil
        return response.source.map { canProve || $0.transport == .udp ? Caller.source($0) : Caller.address($0) }
    }

    private func refuse(_ id: UInt64, _ outcome: DialOutcome) {
        perform(dialling.change(id) { $0.machine.refused(outcome) }, id)
    }

    /// Who somebody is that we call: the address they are called at.
    private func caller(for invitee: Invitee) -> Caller {
        var identity = invitee.identity
        let uri = identity.description
        var aliases: [String] = []
        if let port = invitee.uri.port, identity.port == nil {
            identity.port = port
            aliases.append(identity.description)
            identity.port = nil
        }
        if identity.isSecure {
            identity.scheme = "sip"
            aliases.append(identity.description)
        }
        return Caller(uri: uri, aliases: aliases, displayName: invitee.displayName, account: invitee.account)
    }

    // MARK: Parts of requests

    /// What all requests to somebody have in common; nil when the room is gone.
    private struct Head {
        let from: String
        let to: String
        /// The room's URI at the address that faces the peer.
        let contact: SIPURI
        let route: Endpoint?
        let local: Endpoint
        let peer: String
    }

    private func head(of entry: DialOutDesk.Entry) -> Head? {
        guard let room = rooms[entry.room] else { return nil }
        let target = entry.invitee.uri
        let outbound = outbound
        let local = outbound.local(to: target, facing: MediaAuthority.localAddress)
        let title = room.title.isEmpty ? nil : room.title
        let from = NameAddr(displayName: title, uri: SIPURI(user: entry.room.user, host: entry.room.domain))
        let to = NameAddr(
            displayName: entry.invitee.displayName,
            uri: SIPURI(scheme: target.scheme, user: target.user, host: target.host, port: target.port))
        let route = outbound.route(to: target)
        return Head(
            from: from.description, to: to.description,
            contact: contacts.uri(for: entry.room, local: local, isSecure: target.isSecure), route: route,
            local: local, peer: route?.host ?? target.host)
    }

    private func headers(of entry: DialOutDesk.Entry) -> [HeaderField] {
        entry.referredBy.map { [HeaderField("Referred-By", $0)] } ?? []
    }

    private func answers(_ id: UInt64, method: String) -> [HeaderField] {
        guard let credentials = configuration.dialling.credentials else { return [] }
        return dialling.change(id) { entry in
            entry.digest.headers(
                method: method, uri: entry.invitee.uri.description, credentials: credentials,
                cnonce: String(UInt64.random(in: .min ... .max), radix: 16))
        } ?? []
    }
}
