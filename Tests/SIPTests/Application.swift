import Logging
import SIP
import Synchronization

/// A handler that writes down what happens and does what a test tells it to.
final class Application: SIPHandler {
    let stack: SIPStack
    private let state = Mutex(State())

    private struct State {
        var events: [SIPEvent] = []
        var waiters:
            [(id: UInt64, condition: @Sendable ([SIPEvent]) -> Bool, continuation: CheckedContinuation<Void, Never>)] =
                []
        var wait: Int?
        var react: @Sendable (isolated SIPStack, SIPEvent) -> Void = Application.answerEverything
    }

    init(_ stack: SIPStack) { self.stack = stack }

    static func logger() -> Logger {
        var logger = Logger(label: "sip") { StreamLogHandler.standardError(label: $0) }
        logger.logLevel = .warning
        return logger
    }

    /// A stack on loopback with ports of the system's choice and this as its handler.
    static func start(
        _ listeners: [Endpoint] = [
            Endpoint(transport: .udp, host: "127.0.0.1", port: 0),
            Endpoint(transport: .tcp, host: "127.0.0.1", port: 0),
        ],
        configure: (inout SIPConfiguration) -> Void = { _ in }
    ) async throws -> Application {
        var configuration = SIPConfiguration(listeners: listeners)
        configure(&configuration)
        let stack = try await SIPStack.start(configuration, logger: logger())
        let application = Application(stack)
        await stack.setHandler(application)
        return application
    }

    func react(_ react: @escaping @Sendable (isolated SIPStack, SIPEvent) -> Void) {
        state.withLock { $0.react = react }
    }

    /// From now on sources have to wait that many seconds.
    func makeWait(_ seconds: Int?) { state.withLock { $0.wait = seconds } }

    func secondsToWait(_ source: Endpoint) -> Int? { state.withLock { $0.wait } }

    func received(_ event: SIPEvent) {
        let react = state.withLock { state in
            state.events.append(event)
            return state.react
        }
        stack.assumeIsolated { react($0, event) }
        let ready = state.withLock { state in
            let events = state.events
            let ready = state.waiters.filter { $0.condition(events) }
            state.waiters.removeAll { $0.condition(events) }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    var events: [SIPEvent] { state.withLock { $0.events } }
    /// The events' names in order.
    var names: [String] { events.map(\.name) }

    /// Waits until an event of that name has come (`count` times), or ten seconds: the expectation behind it then tells.
    func wait(for name: String, count: Int = 1) async {
        let condition: @Sendable ([SIPEvent]) -> Bool = { $0.count { $0.name == name } >= count }
        let id = UInt64.random(in: 0 ... .max)
        await withCheckedContinuation { continuation in
            let ready = state.withLock { state in
                if condition(state.events) { return true }
                state.waiters.append((id, condition, continuation))
                return false
            }
            if ready { return continuation.resume() }
            Task { [weak self] in
                try? await Task.sleep(for: .seconds(10))
                self?.giveUp(id)
            }
        }
    }

    private func giveUp(_ id: UInt64) {
        let late = state.withLock { state in
            let late = state.waiters.filter { $0.id == id }
            state.waiters.removeAll { $0.id == id }
            return late
        }
        for waiter in late { waiter.continuation.resume() }
    }

    /// 200 to everything, with an SDP answer to an INVITE and to an UPDATE with a body.
    static let answerEverything: @Sendable (isolated SIPStack, SIPEvent) -> Void = { stack, event in
        switch event {
        case .invite(_, let transaction, let request), .reinvite(_, let transaction, let request):
            stack.respond(
                to: transaction, status: 200,
                contact: "<sip:room@\(request.local.authority)>;isfocus", body: MessageBody(sdp: "v=0\r\n"))
        case .update(_, let transaction, let request):
            stack.respond(to: transaction, status: 200, body: request.body == nil ? nil : MessageBody(sdp: "v=0\r\n"))
        case .inDialogRequest(_, let transaction, _), .dialogRequest(_, let transaction, _),
            .notify(_, let transaction, _),
            .request(let transaction, _):
            stack.respond(to: transaction, status: 200)
        default:
            break
        }
    }
}

extension SIPEvent {
    var name: String {
        switch self {
        case .invite: "invite"
        case .reinvite: "reinvite"
        case .update: "update"
        case .acknowledged: "acknowledged"
        case .cancelled: "cancelled"
        case .bye: "bye"
        case .inDialogRequest: "inDialogRequest"
        case .dialogRequest: "dialogRequest"
        case .request: "request"
        case .notify: "notify"
        case .response(_, let method, let response): "response \(method) \(response.status)"
        case .answer: "answer"
        case .ended: "ended"
        }
    }

    var call: Call? {
        switch self {
        case .invite(let call, _, _), .reinvite(let call, _, _), .update(let call, _, _), .acknowledged(let call, _),
            .cancelled(let call, _), .bye(let call, _), .inDialogRequest(let call, _, _), .response(let call, _, _),
            .ended(let call, _):
            call
        case .request, .dialogRequest, .notify, .answer: nil
        }
    }

    var ending: Ending? {
        if case .ended(_, let ending) = self { ending } else { nil }
    }

    var request: Request? {
        switch self {
        case .invite(_, _, let request), .reinvite(_, _, let request), .update(_, _, let request),
            .bye(_, let request), .inDialogRequest(_, _, let request), .dialogRequest(_, _, let request),
            .notify(_, _, let request), .request(_, let request):
            request
        default: nil
        }
    }
}
