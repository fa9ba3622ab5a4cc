package import MSRP
import NIOCore

extension Connection {
    /// A session on a connection besides the first.
    struct Tenancy {
        let session: SessionID?
        let owner: any SessionOwner
    }

    // MARK: Coming

    /// Gives the connection to an owner, besides those that it has. Who gives a connection away unbinds itself first.
    /// - Parameter head: the request that named the session; nil for a connection opened for this owner.
    /// - Returns: false when the connection is closed or about to be; the owner is told nothing then.
    @discardableResult
    package func attach(to owner: any SessionOwner, session: SessionID?, head: Head?) -> Bool {
        guard isOpen else { return false }
        if self.owner == nil {
            self.owner = owner
            self.session = session
        } else {
            further.append(Tenancy(session: session, owner: owner))
            endGathering()
        }
        if let session { transport.sessions.bind(session, to: self) }
        transport.untime(self)
        owner.bound(self, head: head)
        return true
    }

    // MARK: Going

    /// Takes the connection from one of its owners, and its pause. Of the message under way no more parts come to it. When nobody is
    /// left, the connection may name a session again, within the time an unbound one has.
    package func unbind(_ owner: any SessionOwner) {
        resumeReading(by: owner)
        endGathering()
        if case .further(let recipient) = recipient, recipient === owner { self.recipient = .nobody }
        further.removeAll { tenancy in
            guard tenancy.owner === owner else { return false }
            if let session = tenancy.session { transport.sessions.unbind(session, from: self) }
            return true
        }
        guard self.owner === owner else { return }
        if let session { transport.sessions.unbind(session, from: self) }
        if case .first = recipient { recipient = .nobody }
        if further.isEmpty {
            self.owner = nil
            session = nil
            guard isOpen else { return }
            deadline = .now() + transport.limits.unboundTimeout
            transport.time(self)
        } else {
            let next = further.removeFirst()
            self.owner = next.owner
            session = next.session
            if case .further(let recipient) = recipient, recipient === next.owner { self.recipient = .first }
        }
    }

    /// The same, and closes the connection unless others own it.
    package func leave(_ owner: any SessionOwner, closing mode: ClosingMode) {
        unbind(owner)
        if self.owner == nil { close(mode) }
    }

    /// More than one session is bound to the connection.
    package var isShared: Bool { !further.isEmpty }

    /// The sessions bound to the connection, in the order in which they came.
    package var sessions: [SessionID] { ([session] + further.map(\.session)).compactMap { $0 } }

    /// Calls for each owner there is now; one may come and go meanwhile.
    func forEachOwner(_ body: (any SessionOwner) -> Void) {
        let others = further
        if let owner { body(owner) }
        for tenancy in others where further.contains(where: { $0.owner === tenancy.owner }) || owner === tenancy.owner {
            body(tenancy.owner)
        }
    }
}
