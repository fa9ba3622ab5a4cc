import Logging
import Payloads
import SIP

// Requests beside the call: the roster's subscription, the subject's publication, people brought in and removed.
extension ChatClient {
    /// A request of ours that waits for its final response.
    struct Errand: Sendable {
        enum Purpose: Sendable, Equatable {
            case roster
            case subject(String)
            /// What is asked for, and of whom, for the user.
            case referral(String)
        }

        var method: String
        var purpose: Purpose
        var headers: [HeaderField]
        var body: MessageBody?
        var hasCredentials = false
    }

    /// A REFER that the server took, and what was last heard of it.
    struct Referral: Sendable {
        var text: String
        var last: String?
    }

    /// NOTIFYs of REFERs that came before the REFER's own answer did: few, since the two cross on the way only.
    private static let earlyNotices = 16
    /// How long `/who` waits for the server to tell.
    private static let rosterTime: Duration = .seconds(5)

    // MARK: What the user wants

    func subscribe() async { await act(subscription.start()) }

    func showParticipants() {
        guard showsParticipants else { return notices("this server can't tell who is in the room") }
        guard roster.isKnown else {
            if subscription.isOver { return notices("the server doesn't tell who is in the room") }
            if !awaitsRoster { after(Self.rosterTime, .rosterOverdue) }
            awaitsRoster = true
            return
        }
        awaitsRoster = false
        if printer.style == .json { return output(printer.participants(roster, of: room)) }
        let present = roster.people.filter { $0.presence.isListed }
        notices("\(roster.present.count) in \(room)" + (roster.subject.map { ": \($0)" } ?? ""))
        for person in present { notices("  \(printer.line(for: person))") }
    }

    func rosterOverdue() {
        guard awaitsRoster else { return }
        awaitsRoster = false
        notices("the server hasn't told who is in the room")
    }

    /// Whether something that the user asked for is not answered yet.
    var awaitsErrands: Bool { awaitsRoster || errands.values.contains { $0.purpose != .roster } }

    /// Tells the room its subject by PUBLISH of what it shall be (RFC 3903, docs/protocols.md).
    func setSubject(_ subject: String) async {
        var description = ConferenceInfo.Description()
        description.subject = subject
        let document = ConferenceInfo(
            entity: room.description, state: .partial, version: 1, description: description)
        var headers = [HeaderField("Event", "conference"), HeaderField("Expires", "\(ChatSubscription.expiry)")]
        if let publication { headers.append(HeaderField("SIP-If-Match", publication)) }
        await run(
            Errand(
                method: "PUBLISH", purpose: .subject(subject), headers: headers,
                body: MessageBody(contentType: ConferenceInfo.contentType, content: document.xml())))
    }

    /// Asks the focus to call somebody, or to say BYE to somebody (RFC 4579 sections 5.5 and 5.11).
    func refer(_ who: String, method: String?) async {
        guard var uri = ChatAddress.uri(of: who, domain: options.identity.host) else {
            return notices("'\(who)' is not an address")
        }
        let name = uri.description
        if let method {
            guard uri.isSIP else { return notices("'\(who)' is not a SIP address") }
            uri.parameters.append(.init("method", method))
        }
        let text = method == nil ? "inviting \(name)" : "removing \(name)"
        await run(
            Errand(
                method: "REFER", purpose: .referral(text),
                headers: [
                    HeaderField("Refer-To", "<\(uri)>"), HeaderField("Referred-By", "<\(options.identity)>"),
                ]))
    }

    // MARK: Sending

    /// Within the call, where the server knows us; a PUBLISH makes no use of dialogs (RFC 3903 section 4).
    func run(_ errand: Errand, retrying: Exchange? = nil) async {
        guard let dialog, phase == .chatting || phase == .connecting, let stack else { return }
        let exchange: Exchange
        if errand.method == "PUBLISH" {
            exchange = await stack.send(
                errand.method, to: focus, from: from, to: "<\(room)>", route: options.peer.route,
                headers: errand.headers, body: errand.body, retrying: retrying)
        } else {
            exchange = await stack.send(
                errand.method, within: .call(dialog), headers: errand.headers, body: errand.body)
        }
        errands[exchange] = errand
    }

    func answered(_ exchange: Exchange, _ response: Response) async {
        guard !response.isProvisional, var errand = errands.removeValue(forKey: exchange) else { return }
        if response.status == 401 || response.status == 407 {
            let header = credentials?.answer(
                response, method: errand.method, uri: focus.description, isRetry: errand.hasCredentials)
            if let header {
                errand.hasCredentials = true
                errand.headers.removeAll { $0.name == header.name }
                errand.headers.append(header)
                return await run(errand, retrying: exchange)
            }
        }
        let refusal = "\(response.status) \(response.phrase)".withoutControls(keepingLines: false)
        switch errand.purpose {
        case .roster:
            await act(
                subscription.answered(
                    response.status, expires: response.headers["Expires"].flatMap { Int($0) },
                    minimum: response.headers["Min-Expires"].flatMap { Int($0) }))
        case .subject(let subject):
            // What was published ran out meanwhile: it is published anew (RFC 3903 section 4.1).
            if response.status == 412, publication != nil {
                publication = nil
                return await setSubject(subject)
            }
            if response.isSuccess {
                publication = response.headers["SIP-ETag"]
            } else {
                notices("the subject was not taken: \(refusal)")
            }
        case .referral(let text):
            guard response.isSuccess else { return notices("\(text): \(refusal)") }
            // Without a subscription there is nothing more to come (RFC 4488).
            guard response.headers["Refer-Sub"]?.lowercased().hasPrefix("false") != true else { return notice(text) }
            let number = response.headers["CSeq"]?.prefix { $0 != " " }.description ?? ""
            referrals[number] = Referral(text: text)
            for notice in earlyNotices.removeValue(forKey: number) ?? [] {
                show(notice.fragment, of: number, isLast: notice.isLast)
            }
        }
    }

    private func act(_ action: ChatSubscription.Action) async {
        switch action {
        case .nothing:
            break
        case .subscribe(let expires):
            await run(
                Errand(
                    method: "SUBSCRIBE", purpose: .roster,
                    headers: [
                        HeaderField("Event", "conference"), HeaderField("Accept", ConferenceInfo.contentType),
                        HeaderField("Expires", "\(expires)"),
                    ]))
        case .wait(let seconds, let number):
            after(.seconds(seconds), .subscriptionDue(number))
        case .over(let reason):
            logger.debug("no roster", metadata: ["reason": "\(reason)"])
            if awaitsRoster {
                awaitsRoster = false
                notices("the server doesn't tell who is in the room: \(reason)")
            }
        }
    }

    func subscriptionDue(_ number: Int) async { await act(subscription.due(number)) }

    // MARK: What the server tells

    func take(_ transaction: Transaction, _ request: Request) async {
        switch request.method {
        case "NOTIFY": await notified(transaction, request)
        case "OPTIONS": await stack?.respond(to: transaction, status: 200)
        case "REFER":
            // One terminal is in one room.
            if let uri = request.referTo.first??.uri {
                notice("you are asked to come to \(uri.description.withoutControls(keepingLines: false))")
            }
            await stack?.respond(to: transaction, status: 603)
        default: await stack?.respond(to: transaction, status: 405)
        }
    }

    private func notified(_ transaction: Transaction, _ request: Request) async {
        let event = request.headers["Event"].flatMap { EventName(parsing: $0) }
        guard let state = request.headers["Subscription-State"].flatMap({ SubscriptionState(parsing: $0) }) else {
            await stack?.respond(to: transaction, status: 400)
            return
        }
        switch event?.package {
        case "conference" where subscription.isActive:
            await stack?.respond(to: transaction, status: 200)
            if let body = request.body, body.mediaType == ConferenceInfo.contentType { await take(body.content) }
            await act(subscription.notified(state))
        case "refer":
            await stack?.respond(to: transaction, status: 200)
            guard let body = request.body, body.mediaType == "message/sipfrag" else { return }
            let line = String(decoding: body.content.prefix { $0 != 0x0D && $0 != 0x0A }, as: UTF8.self)
            // The first REFER of a dialog may go without an id (RFC 3515 section 2.4.6).
            let number = event?.id ?? (referrals.count == 1 ? referrals.keys.first ?? "" : "")
            if referrals[number] != nil {
                show(line, of: number, isLast: state.isTerminated)
            } else if awaitsErrands, earlyNotices.values.reduce(0, { $0 + $1.count }) < Self.earlyNotices {
                earlyNotices[number, default: []].append((line, state.isTerminated))
            }
        default:
            await stack?.respond(to: transaction, status: event == nil ? 489 : 481)
        }
    }

    /// `SIP/2.0 200 OK`, as what became of a REFER.
    private func show(_ fragment: String, of number: String, isLast: Bool) {
        guard let referral = referrals[number] else { return }
        if isLast { referrals[number] = nil } else { referrals[number]?.last = fragment }
        let words = fragment.split(separator: " ", maxSplits: 2)
        guard words.count >= 2, let status = Int(words[1]), status != 100, fragment != referral.last else { return }
        let answer = words[1...].joined(separator: " ").withoutControls(keepingLines: false)
        if status >= 300 { notices("\(referral.text): \(answer)") } else { notice("\(referral.text): \(answer)") }
    }

    private func take(_ document: [UInt8]) async {
        let hadFiles = !roster.files.isEmpty
        let outcome = roster.receive(document)
        if hadFiles || !roster.files.isEmpty {
            files.replace(roster.files, now: InternetDateTime.seconds(console.clock().dateTime) ?? 0)
        }
        switch outcome {
        case .ignored, .ended:
            break
        case .incomplete:
            await act(subscription.incomplete())
        case .first:
            if awaitsRoster { showParticipants() }
            let others = roster.present.filter { !isMe($0) }
            if !others.isEmpty {
                let names = others.prefix(10).map(\.name).joined(separator: ", ")
                notice("here: \(names)" + (others.count > 10 ? ", and \(others.count - 10) more" : ""))
            }
            if let subject = roster.subject { notice("subject: \(subject)") }
        case .changed(let changes):
            for change in changes {
                if let text = text(of: change) { notice(text) }
            }
        }
    }

    private func text(of change: ChatRoster.Change) -> String? {
        switch change {
        case .arrived(let person): isMe(person) ? nil : "\(person.name) joined"
        case .left(let person, .booted): isMe(person) ? nil : "\(person.name) was removed"
        case .left(let person, _): isMe(person) ? nil : "\(person.name) left"
        case .expected(let person):
            switch person.presence {
            case .expected("alerting"): "\(person.name) is being called: ringing"
            case .expected("dialing-out"): "\(person.name) is being called"
            default: nil
            }
        case .notReached(let person, let departure):
            "\(person.name) could not be reached" + (departure == .busy ? ": busy" : "")
        case .renamed(let person, let old): "\(old) is now called \(person.name)"
        case .title(let title): title.isEmpty ? "the room has no title now" : "the title is now \(title)"
        case .subject(let subject): subject.isEmpty ? "the room has no subject now" : "subject: \(subject)"
        }
    }

    private func isMe(_ person: ChatRoster.Person) -> Bool {
        SIPURI(person.uri).map { $0.isSamePerson(as: options.identity) } ?? false
    }
}

extension ChatRoster.Presence {
    /// Whether a list of the participants shows somebody.
    var isListed: Bool { if case .gone = self { false } else { true } }
}
