import MSRP
import MSRPTransport
import NIOCore

// All that is not a SEND (RFC 4976 sections 6.4.2 and 6.4.3).

extension Side {
    // MARK: Requests

    /// Never answered, whatever is wrong with it (RFC 4975 section 7.1.2).
    func takeReport(_ head: Head) {
        guard head.defect == nil, other.leg != nil,
            paths.judgeReport(head, session: session.id, other: other.paths.from) == .accepted,
            session.mayPassOn(from: self)
        else { return }
        self.head = head
        phase = .whole
    }

    func takeRequest(_ head: Head) {
        guard head.defect == nil else { return refuse(head, .badRequest) }
        guard head.method == .nickname || session.allowsOtherMethods else { return refuse(head, .unknownMethod) }
        switch paths.judge(head, session: session.id, other: other.paths.from) {
        case .refused(let status): return refuse(head, status)
        case .toUs: return refuse(head, .unknownMethod)
        case .accepted: break
        }
        guard session.mayPassOn(from: self) else { return refuse(head, .noSuchSession) }
        passOn(head)
    }

    /// An AUTH for this session is a refresh; one that names another relay behind us is passed on
    /// (RFC 4976 section 6.3).
    func takeAuth(_ head: Head) {
        guard head.defect == nil else { return refuse(head, .badRequest) }
        guard isClient, let connection = leg?.connection else { return refuse(head, .noSuchSession) }
        switch paths.judgeOnce(head, session: session.id) {
        case .refused(let status):
            refuse(head, status)
        case .toUs:
            guard let refresher = relay.refresher else { return refuse(head, .unknownMethod) }
            refresher.authenticate(head, over: connection, for: session)
        case .accepted:
            if let status = session.reachRelay(head) { return refuse(head, status) }
            passOn(head)
        }
    }

    private func passOn(_ head: Head) {
        guard !other.requests.isFull else { return refuse(head, .stopSending) }
        self.head = head
        phase = .pending
        begin()
    }

    // MARK: Responses

    func takeResponse(_ head: Head, _ status: Status) {
        guard head.defect == nil, let id = head.transactionID.value, head.sessionKey == session.id.text else { return }
        if requests.count > 0, let entry = requests.take(id) {
            answering = entry
            self.head = head
            phase = .whole
            return
        }
        if let failure = hop.answered(id, head, status) { other.report(failure) }
        heedAnswers()
    }

    /// Plain 200s, taken before the parser.
    func takeExpectedAnswers(_ buffer: inout ByteBuffer) {
        let before = buffer.readableBytes
        hop.takeExpectedAnswers(&buffer)
        let taken = before &- buffer.readableBytes
        guard taken > 0 else { return }
        heedAnswers()
    }

    /// The other side may wait for room among what is unanswered here.
    func heedAnswers() {
        if other.holds.contains(.answers), hop.count <= HopState.mostOutstanding / 2 { other.release(.answers) }
    }

    // MARK: At the end

    func passWhole(_ continuation: Continuation) {
        guard let head, let split = head.pathSplit, let leg = other.leg else { return }
        let way = other.paths.from
        if let answering {
            leg.writeWhole {
                Frame.writeForwarded(
                    head, split, id: answering.head.transactionID, way: way, body: body, continuation, into: &$0)
            }
            session.passedAnswer(head, to: answering, from: self)
            return
        }
        let id = body.readableBytes > 0 ? session.id(avoiding: body) : relay.ids.next()
        if head.method != .report { other.requests.append(id, head, now: .now(), within: session.answerTime) }
        leg.writeWhole {
            Frame.writeForwarded(head, split, id: TransactionID(id), way: way, body: body, continuation, into: &$0)
        }
    }
}
