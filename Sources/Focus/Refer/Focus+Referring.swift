import Logging
import MediaMixer
import SIP

/// REFER (RFC 3515, RFC 4488, RFC 5368): participants are called, removed, moved at somebody's word.
extension Focus {
    /// - Parameter dialog: what it came within; nil: it asks for a dialog of its own.
    func referred(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        let room: RoomAddress
        do throws(Rejection) {
            room = try roomReferred(request, within: dialog)
        } catch {
            return refuse(transaction, error, request)
        }
        let known = dialog.flatMap(owner)
        admit(transaction, request, within: known) { caller in
            if known != nil { self.moved(caller, within: dialog) }
            do throws(Rejection) {
                let refer = try self.judge(request, by: caller, in: room)
                self.obey(refer, transaction, request, by: caller, in: room, within: dialog)
            } catch {
                self.refuse(transaction, error, request, by: caller)
            }
        }
    }

    /// The Request-URI says which room; within a call it can be no other than the call's.
    private func roomReferred(_ request: Request, within dialog: DialogReference?) throws(Rejection) -> RoomAddress {
        if isShuttingDown { throw .shuttingDown }
        if case .call(let call) = dialog {
            guard let room = dialogs[call]?.room ?? files[call]?.room else { throw .gone }
            return room
        }
        switch resolver.resolve(request.requestURI, local: request.local.host) {
        case .unsupportedScheme: throw .unsupportedScheme
        case .server, .notFound: throw .notFound
        case .room(let room):
            // Whether it exists a stranger is not told. RFC 3515 section 2.2: without one no NOTIFY could be sent.
            guard let contact = request.contacts.first, contact.uri.isSIP else { throw .malformed("no usable Contact") }
            return room
        }
    }

    /// All that is asked before anything is sent but the answer.
    private func judge(
        _ request: Request, by caller: Caller, in room: RoomAddress
    ) throws(Rejection) -> ReferRequest {
        guard let book = rooms[room] else { throw .notFound }
        let role = RoomPolicy.role(of: caller.account, in: book.configuration, book.condition)
        guard role >= .moderator || isParticipant(caller.account, in: room) else {
            throw Rejection(status: 403, why: "neither in the room nor its moderator")
        }
        var refer = try ReferRequest(request, limits: configuration.dialling.limits)
        if refer.isList {
            refer.targets.removeAll { $0.method != .bye && leadsToUs($0.invitee.uri) }
        }
        for target in refer.targets {
            for act in acts(target, in: room) {
                guard case .refuse(let status, let why) = decide(caller, act, in: room) else { continue }
                throw Rejection(status: status, why: why)
            }
            if target.method != .bye, leadsToUs(target.invitee.uri) {
                throw Rejection(status: 403, why: "an address of ours")
            }
            if let destination = target.destination {
                guard resolve(destination) == .room(room) else {
                    throw Rejection(status: 403, why: "somebody is to be referred elsewhere")
                }
            }
        }
        if refer.wantsReport, let limit = referring.limit(for: caller.account, configuration.dialling.limits) {
            dialCounters.refusedByLimit[limit, default: 0] += 1
            throw Rejection(status: 503, headers: [HeaderField("Retry-After", "60")], why: "limit \(limit)")
        }
        return refer
    }

    /// What obeying comes to. A URI may mean several people, and all of them must be ones that may be removed.
    private func acts(_ target: ReferTarget, in room: RoomAddress) -> [RoomPolicy.Act] {
        guard target.method == .bye else { return [.invite] }
        if means(target.invitee.uri, room) { return [.close] }
        var accounts = Set(calls(meant: target.invitee.uri, in: room).compactMap { dialogs[$0]?.caller.account })
        if let called = dialling.entry(for: target.invitee.account, in: room) { accounts.insert(called.account) }
        return accounts.isEmpty
            ? [.remove(target: target.invitee.account)] : accounts.sorted().map { .remove(target: $0) }
    }

    /// Answers with 2xx, sends the first NOTIFY, and does it.
    private func obey(
        _ refer: ReferRequest, _ transaction: Transaction, _ request: Request, by caller: Caller, in room: RoomAddress,
        within dialog: DialogReference?
    ) {
        let contact = contacts.value(for: room, request: request)
        let status = refer.isList ? 200 : 202
        var report = DialReport.none
        if refer.wantsReport {
            guard let reference = accept(transaction, request, status: status, contact: contact, within: dialog) else {
                return
            }
            let expiry = configuration.dialling.reportExpiry
            let key = referring.open(
                in: reference, caller: caller, room: room, sequence: request.sequence, contact: contact,
                deadline: now() + expiry)
            report = .notify(key)
            if endsCall(of: dialog, refer, in: room) {
                reported(report, .done)
            } else {
                send(referring.change(key) { $0.begin(now: now()) } ?? nil, key)
            }
            watch(key, after: expiry)
        } else {
            signalling.respond(
                to: transaction, status: status, phrase: nil, contact: contact,
                headers: [HeaderField("Refer-Sub", "false")], body: nil)
        }
        dialCounters.refersAccepted &+= 1
        logger.info(
            "referred",
            metadata: metadata(request).merging([
                "room": "\(room)", "by": "\(caller.uri)", "targets": "\(refer.targets.count)",
            ]) { $1 })

        let invited = refer.targets.filter { $0.method == .invite }.map(\.invitee)
        let sent = refer.targets.filter { $0.method == .refer }.map(\.invitee)
        let referredBy = referredBy(refer, caller)
        for target in refer.targets where target.method == .bye {
            remove(target.invitee, from: room, by: caller, report)
        }
        if !invited.isEmpty {
            dialOut(invited, to: room, by: caller, isList: refer.isList, referredBy: referredBy, report: report)
        }
        if !sent.isEmpty {
            dialOut(
                sent, to: room, by: caller, method: .refer, isList: refer.isList, referredBy: referredBy,
                report: report)
        }
    }

    /// Who is shown as the referrer: what it calls itself, when that is its own name (RFC 3892 section 3).
    private func referredBy(_ refer: ReferRequest, _ caller: Caller) -> String? {
        guard !caller.isAnonymous, var named = refer.referredBy, named.uri.isSIP else { return nil }
        let name = SIPURI(scheme: named.uri.scheme, user: named.uri.user, host: named.uri.host, port: named.uri.port)
        let isOwn =
            "\(name.user ?? "")@\(RoomResolver.normalized(name.host))" == caller.account
            || caller.aliases.contains(name.description)
        guard isOwn else { return nil }
        named.uri = name
        named.parameters = []
        if (named.displayName?.utf8.count ?? 0) > ReferTarget.longestName { named.displayName = nil }
        return named.description
    }

    // MARK: Removing

    private func remove(_ target: Invitee, from room: RoomAddress, by caller: Caller, _ report: DialReport) {
        if means(target.uri, room) {
            endRoom(room, by: caller)
            return reported(report, .done)
        }
        let ended = calls(meant: target.uri, in: room).filter {
            remove($0, reason: .removed(""), by: caller, booted: true)
        }
        // Also who isn't in yet: the call to them is given up.
        let called = dialling.entry(for: target.account, in: room)
        if let called { withdraw(called.id) }
        reported(report, ended.isEmpty && called == nil ? .notFound : .done)
    }

    /// Whether a URI is the room's own (RFC 4579 section 5.12; to say BYE to it is our extension).
    private func means(_ uri: SIPURI, _ room: RoomAddress) -> Bool {
        resolve(uri) == .room(room)
    }

    /// The calls a URI means: all of a participant's, or that of the device whose Contact it is.
    private func calls(meant uri: SIPURI, in room: RoomAddress) -> [Call] {
        let named = calls(named: uri.description, in: room)
        // With a port it may say more than the account does.
        guard uri.port != nil || uri.parameter("gr") != nil else { return named }
        let devices = named.filter { dialogs[$0]?.device?.isSameDevice(as: uri) == true }
        return devices.isEmpty ? named : devices
    }

    /// Whether obeying ends the call that the NOTIFYs would go within: then the outcome is told first, and at once.
    private func endsCall(of dialog: DialogReference?, _ refer: ReferRequest, in room: RoomAddress) -> Bool {
        guard case .call(let call) = dialog else { return false }
        return refer.targets.contains { target in
            target.method == .bye
                && (means(target.invitee.uri, room) || calls(meant: target.invitee.uri, in: room).contains(call))
        }
    }

    private func refuse(
        _ transaction: Transaction, _ rejection: Rejection, _ request: Request, by caller: Caller? = nil
    ) {
        dialCounters.refersRefused &+= 1
        reject(transaction, rejection, metadata: caller.map { metadata(request, by: $0) } ?? metadata(request))
    }
}
