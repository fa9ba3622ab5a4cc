import Logging
import MediaMixer
import SIP

/// Requests that are no offers: OPTIONS, and the methods that are not served.
extension Focus {
    func requested(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        let isStray = dialog == nil && request.to?.tag != nil
        switch request.method {
        // Of a dialog that we know nothing of (RFC 3261 section 12.2.2).
        case let method where isStray && ["SUBSCRIBE", "REFER", "PUBLISH"].contains(method):
            reject(transaction, .gone, metadata: metadata(request), level: .debug)
        case "OPTIONS": options(transaction, request, within: dialog)
        case "SUBSCRIBE": subscribed(transaction, request, within: dialog)
        case "REFER": referred(transaction, request, within: dialog)
        case "PUBLISH": published(transaction, request)
        case "NOTIFY": notified(transaction, request, within: dialog)
        case let method where Capabilities.knownMethods.contains(method):
            reject(transaction, .methodNotAllowed, metadata: metadata(request), level: .debug)
        default:
            reject(transaction, .unknownMethod, metadata: metadata(request), level: .debug)
        }
    }

    /// What an INVITE to the same URI would get (RFC 3261 section 11.2), with the focus's capabilities
    /// (RFC 4579 section 5.13).
    private func options(_ transaction: Transaction, _ request: Request, within dialog: DialogReference?) {
        if case .call(let call)? = dialog, let room = dialogs[call]?.room ?? files[call]?.room {
            return answerOptions(transaction, contact: contacts.value(for: room, request: request))
        }
        switch resolver.resolve(request.requestURI, local: request.local.host) {
        case .unsupportedScheme: reject(transaction, .unsupportedScheme, metadata: metadata(request), level: .debug)
        case .notFound: reject(transaction, .notFound, metadata: metadata(request), level: .debug)
        case .server: answerOptions(transaction, contact: contacts.value(for: nil, request: request))
        case .room(let room):
            let contact = contacts.value(for: room, request: request)
            if configuration.createsRoomsOnDemand || room.user == configuration.factoryName || rooms[room] != nil {
                answerOptions(transaction, contact: contact)
            } else {
                reject(transaction, .notFound, metadata: metadata(request), level: .debug)
            }
        }
    }

    private func answerOptions(_ transaction: Transaction, contact: String) {
        signalling.respond(to: transaction, status: 200, phrase: nil, contact: contact, headers: [], body: nil)
    }
}
