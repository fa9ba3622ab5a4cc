import SIP
import Synchronization

/// The dialogs that a test's handler accepted.
final class Accepted: Sendable {
    private let state = Mutex<[Dialog]>([])

    /// Those of requests whose answers have been seen: the stack's thread is done with them.
    func dialogs(_ application: Application) async -> [Dialog] {
        _ = await application.stack.dialogCount
        return state.withLock { $0 }
    }

    func add(_ dialog: Dialog?) {
        if let dialog { state.withLock { $0.append(dialog) } }
    }
}

extension Application {
    /// Final answers to requests of ours, in their order.
    var answers: [(exchange: Exchange, response: Response)] {
        events.compactMap { event in
            if case .answer(let exchange, let response) = event { (exchange, response) } else { nil }
        }
    }
}
