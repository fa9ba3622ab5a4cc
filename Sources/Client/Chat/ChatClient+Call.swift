import MSRP
import MSRPTransport
import NIOCore
import Payloads
import SIP

// The call: INVITE with our offer, what it is answered with, and what comes in its dialog.
extension ChatClient {
    func callRoom(retrying: Call?, authorization: HeaderField?) async {
        let offer = negotiation.makeOffer(localPath: localPath)
        var body = MessageBody(contentType: "application/sdp", content: offer)
        var headers = authorization.map { [$0] } ?? []
        if let list = options.invitees {
            let invitation = InvitationList.body(
                offer: offer, list: list, boundary: "confd-\(String(UInt64.random(in: .min ... .max), radix: 16))")
            body = invitation.0
            headers += invitation.1
        }
        dialog = await stack?.invite(
            options.peer.target, from: from, to: "<\(options.room)>", route: options.peer.route, headers: headers,
            body: body, retrying: retrying)
    }

    /// Our From, without a tag.
    var from: String { NameAddr(displayName: options.nickname, uri: options.identity).description }

    func handle(_ event: SIPEvent) async {
        switch event {
        case .response(let call, let method, let response) where call == dialog && method == "INVITE":
            if phase == .calling, !response.isProvisional { await answered(response) }
        case .ended(let call, let ending) where call == dialog:
            if phase != .leaving, failure == nil { failure = .lost("the call ended: \(ending.text)") }
            phase = .over
        case .bye(let call, let request) where call == dialog:
            let reason = request.headers["Reason"].map { ": \(Self.words(of: $0))" } ?? ""
            if phase != .leaving || hasLostSession { failure = .lost("the server ended the call\(reason)") }
        case .reinvite(let call, let transaction, let request), .update(let call, let transaction, let request):
            if call == dialog { await renegotiate(transaction, request) }
        case .invite(_, let transaction, let request):
            // Rooms may offer each file to everybody. The user gets those that he wants, and 603 says not to ask again.
            let isFile = request.body.map { FileNegotiation.isMeant(by: $0.content) } ?? false
            await stack?.respond(to: transaction, status: isFile ? 603 : 486)
        case .inDialogRequest(_, let transaction, let request):
            await take(transaction, request)
        case .request(let transaction, let request), .notify(_, let transaction, let request),
            .dialogRequest(_, let transaction, let request):
            await stack?.respond(to: transaction, status: request.method == "OPTIONS" ? 200 : 405)
        case .answer(let exchange, let response):
            await answered(exchange, response)
        default:
            break
        }
    }

    /// The text of a Reason header (RFC 3326), else all of it.
    static func words(of reason: String) -> String {
        guard let start = reason.firstRange(of: "text=\"") else { return reason }
        return String(reason[start.upperBound...].prefix { $0 != "\"" })
    }

    private func answered(_ response: Response) async {
        guard let call = dialog else { return }
        if response.status == 401 || response.status == 407, await authenticate(response, call) { return }
        guard response.isSuccess else {
            failure = refusal(response)
            phase = .over
            return
        }
        await stack?.acknowledge(call)
        phase = .connecting
        showsParticipants =
            response.headers.contains("Allow-Events", token: "conference") && response.allow.contains("SUBSCRIBE")
        if let contact = response.contacts.first { focus = contact.uri }
        if let contact = response.contacts.first(where: { $0.parameter("isfocus") != nil }) {
            // A conference factory gives a room of its own (RFC 4579 section 5.4).
            if let user = contact.uri.user { room.user = user }
        } else {
            notice("\(options.room) is not a conference focus; going on all the same")
        }
        do {
            let examination = try negotiation.acceptAnswer(response.body?.content ?? [])
            try await connect(examination.media)
        } catch let error as ClientError {
            await fail(error)
        } catch {
            await fail(.unusableAnswer("the server's answer can't be used: \(error)"))
        }
    }

    private func refusal(_ response: Response) -> ClientError {
        if response.isLocal {
            return .noAnswer("no answer from \(options.peer.route): \(response.status) \(response.phrase)")
        }
        var detail = response.headers["Warning"] ?? response.headers["Reason"]
        if response.status == 401 || response.status == 407 {
            detail = hasTriedPassword ? "wrong name or password" : "give the password by --password"
        }
        return .refused(status: response.status, phrase: response.phrase, detail: detail)
    }

    /// Calls again with what the challenge asks for (RFC 3261 section 22).
    private func authenticate(_ response: Response, _ call: Call) async -> Bool {
        let header = credentials?.answer(
            response, method: "INVITE", uri: options.peer.target.description, isRetry: hasTriedPassword)
        guard let header else { return false }
        hasTriedPassword = true
        await callRoom(retrying: call, authorization: header)
        return true
    }

    private func connect(_ media: ChosenMedia) async throws {
        self.media = media
        guard let remote = Path(media.remotePath),
            let local = localPath.split(separator: " ").last.flatMap({ Path(String($0)) }),
            let session
        else { throw ClientError.unusableAnswer("the server's a=path can't be used: \(media.remotePath)") }
        var terms = MessageSession.Terms(remotePath: remote, fingerprints: media.fingerprints)
        if options.relay != nil {
            terms.isActive = media.role == .active
        } else if let target = media.target {
            terms.destination = Destination(
                host: target.host, port: Int(target.port), isTLS: media.isTLS, isAtPeersWord: false)
        }
        let settled = terms
        try await session.onLoop { $0.start(localPath: local, terms: settled) }
    }

    private func renegotiate(_ transaction: Transaction, _ request: Request) async {
        guard let body = request.body else {
            await stack?.respond(to: transaction, status: 200)
            return
        }
        do throws(Refusal) {
            _ = try negotiation.examine(offer: body.content)
            let answer = MessageBody(contentType: "application/sdp", content: negotiation.answer(localPath: localPath))
            await stack?.respond(to: transaction, status: 200, body: answer)
        } catch {
            await stack?.respond(to: transaction, status: error.status)
        }
    }
}

extension Ending {
    /// For people.
    var text: String {
        switch self {
        case .bye: "the server hung up"
        case .hungUp: "we hung up"
        case .cancelled: "cancelled"
        case .rejected(let status): "refused with \(status)"
        case .unacknowledged: "our ACK did not arrive"
        case .sessionExpired: "the session timer ran out"
        case .failed(let status, let phrase): "\(status) \(phrase)"
        case .shutDown: "shut down"
        }
    }
}
