import Logging
import MediaMixer
import SIP

/// PUBLISH of the conference event package (RFC 3903): participants give the room its title, subject, and so on.
///
/// No RFC defines it for this package. The body is a conference information document with nothing in it but a
/// `<conference-description>`, and of that only display-text, subject, free-text and keywords; whatever else somebody
/// wants to change is refused. What an element doesn't say stays as it is, an empty one clears it.
extension Focus {
    func published(_ transaction: Transaction, _ request: Request) {
        do throws(Rejection) {
            if isShuttingDown { throw .shuttingDown }
            let room = try room(named: request)
            admit(transaction, request) { caller in
                do throws(Rejection) {
                    try self.publish(transaction, request, to: room, by: caller)
                } catch {
                    self.refusePublication(transaction, error, request)
                }
            }
        } catch {
            refusePublication(transaction, error, request)
        }
    }

    private func publish(
        _ transaction: Transaction, _ request: Request, to address: RoomAddress, by caller: Caller
    ) throws(Rejection) {
        guard request.event?.package == SubscribeRequest.package else {
            throw Rejection(status: 489, headers: [SubscribeRequest.allowEvents], why: "another event package")
        }
        guard let room = room(at: address) else { throw .notFound }
        // Before the body is looked at: who may not publish learns nothing by it.
        let role = RoomPolicy.role(of: caller.account, in: room.configuration, room.condition)
        guard role >= .moderator || isParticipant(caller.account, in: address) else {
            throw Rejection(status: 403, why: "only participants publish")
        }
        if case .refuse(let status, let why) = decide(caller, .describe, in: address) {
            throw Rejection(status: status, why: why)
        }
        let settings = configuration.notifying
        let publication = try PublishRequest(request, settings)
        if let words = publication.words {
            guard let entity = SIPURI(words.entity),
                resolver.resolve(entity, local: request.local.host) == .room(address)
            else { throw Rejection(status: 403, why: "the document is about something else") }
        }
        let now = now()
        let outcome = notifying.publications.handle(
            publication, of: caller.account, in: address, newTag: Self.entityTag(), condition: room.condition,
            most: settings.maximumPublicationsPerRoom, now: now)
        switch outcome {
        case .refused(.noSuchPublication):
            throw Rejection(status: 412, why: "no such publication")
        case .refused(.limit(let name)):
            throw .limit(name)
        case .accepted(let tag, let publicationChange):
            apply(publicationChange, to: address, by: caller)
            notifying.counters.publicationsAccepted += 1
            if publication.expiry > 0 { arrangeSweep(at: now + .seconds(publication.expiry)) }
            signalling.respond(
                to: transaction, status: 200, phrase: nil, contact: nil,
                headers: [HeaderField("SIP-ETag", tag), HeaderField("Expires", "\(publication.expiry)")], body: nil)
        }
    }

    private func apply(_ publication: PublicationBook.Change, to room: RoomAddress, by caller: Caller?) {
        switch publication {
        case .none: return
        case .say(let words): change(room, by: caller) { words.apply(to: &$0) }
        case .takeBack(let words, let before): change(room, by: caller) { words.revert(to: before, in: &$0) }
        }
    }

    /// What was published goes with the publication, unless the operator wants it to stay.
    func publicationExpired(_ publication: PublicationBook.Publication, in room: RoomAddress) {
        guard !configuration.notifying.publicationsPersist else { return }
        apply(.takeBack(publication.words, before: publication.before), to: room, by: nil)
    }

    private func refusePublication(_ transaction: Transaction, _ rejection: Rejection, _ request: Request) {
        notifying.counters.publicationsRefused += 1
        reject(transaction, rejection, metadata: metadata(request), level: .debug)
    }

    /// Unique for all time, as far as chance goes (RFC 3903 section 8.3).
    private static func entityTag() -> String {
        String(UInt64.random(in: .min ... .max), radix: 36) + String(UInt64.random(in: .min ... .max), radix: 36)
    }
}
