import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

/// Subscribers at the bench.
extension Bench {
    struct Watcher {
        let dialog: DialogReference
        var exchange: Exchange
    }

    static func subscribe(
        _ headers: [String: String] = [:], from: String = "\"Alice\" <sip:alice@example.org>;tag=a1",
        source: Endpoint = Request.client, body: MessageBody? = nil
    ) -> Request {
        let all = [
            "Event": "conference", "From": from, "CSeq": "1 SUBSCRIBE",
            "Contact": "<sip:alice@\(source.authority)>",
        ].merging(headers) { $1 }
        return .make("SUBSCRIBE", "sip:lobby@example.com", headers: all, body: body, source: source)
    }

    /// The next request the focus sends, with what comes before it skipped.
    func nextSent(_ location: SourceLocation = #_sourceLocation) async throws -> Sent {
        while true {
            switch await next() {
            case .sent(let sent): return sent
            case .nothing:
                Issue.record("nothing was sent", sourceLocation: location)
                throw TestFailure()
            default: continue
            }
        }
    }

    /// A SUBSCRIBE: how it was answered and, after a 200, the NOTIFY that followed.
    func subscribe(
        _ request: Request = Bench.subscribe(), within dialog: DialogReference? = nil
    ) async throws -> (Answer, Sent?) {
        let transaction = nextTransaction()
        switch dialog {
        case .call(let call): await focus.handle(.inDialogRequest(call, transaction, request))
        case .dialog(let dialog): await focus.handle(.dialogRequest(dialog, transaction, request))
        case nil: await focus.handle(.request(transaction, request))
        }
        let answer = try await nextAnswer()
        return (answer, answer.status == 200 ? try await nextSent() : nil)
    }

    /// A SUBSCRIBE that is granted, and its first NOTIFY answered.
    @discardableResult
    func watch(
        _ request: Request = Bench.subscribe(), within dialog: DialogReference? = nil
    ) async throws -> (DialogReference, Sent) {
        let (answer, sent) = try await subscribe(request, within: dialog)
        try #require(answer.status == 200, "\(answer)")
        let notify = try #require(sent)
        await confirm(notify)
        return (try #require(notify.dialog), notify)
    }

    func answer(_ sent: Sent, _ status: Int, headers: String = "", isLocal: Bool = false) async {
        await focus.handle(
            .answer(
                sent.exchange,
                Response(
                    status: status, phrase: "", headers: HeaderFields(octets: Array(headers.utf8)), body: nil,
                    source: isLocal ? nil : Request.client)))
    }

    func confirm(_ sent: Sent) async { await answer(sent, 200) }

    /// Runs every timer that is set now.
    func fireTimers() async {
        for _ in stack.pendingDelays { await stack.fireTimer(on: focus) }
    }

    /// Somebody's call, with the media bound.
    func enter(_ name: String, source: Endpoint = Request.client) async throws -> (Call, MemberID) {
        let (call, member, _) = try await join(
            .invite(
                headers: [
                    "From": "<sip:\(name)@example.org>;tag=\(name)", "Contact": "<sip:\(name)@\(source.authority)>",
                ], source: source))
        await focus.handle(.joined(Self.snapshot(member, name, isMediaActive: true)))
        return (call, member)
    }

    static func snapshot(_ member: MemberID, _ name: String, isMediaActive: Bool) -> MemberSnapshot {
        MemberSnapshot(
            id: member, room: Bench.room, uri: "sip:\(name)@example.org", displayName: nil, nickname: nil,
            isJoined: true, isMediaActive: isMediaActive)
    }
}

extension Sent {
    var state: SubscriptionState? { header("Subscription-State").flatMap { SubscriptionState(parsing: $0) } }

    func document(_ location: SourceLocation = #_sourceLocation) throws -> ConferenceInfo {
        let body = try #require(body, sourceLocation: location)
        #expect(body.contentType == "application/conference-info+xml", sourceLocation: location)
        return try ConferenceInfo(parsing: body.content)
    }
}
