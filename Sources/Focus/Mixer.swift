package import MediaMixer

/// What the focus needs of the mixer.
///
/// `joined` and `leave` don't wait and keep their order, so an ACK with a BYE behind it is seen as that.
package protocol Mixer: Sendable {
    func roomExists(_ room: RoomAddress) async -> Bool
    func reserve(_ request: JoinRequest) async throws(JoinRefusal) -> Reservation
    func renegotiate(_ member: MemberID, media: PeerMedia, newSession: Bool) async throws(JoinRefusal) -> Reservation
    func joined(_ member: MemberID)
    func leave(_ member: MemberID, reason: LeaveReason)
}

/// The real mixer, with the calls nobody waits for sent through one queue.
final class MixerPost: Mixer {
    private enum Letter: Sendable {
        case joined(MemberID)
        case left(MemberID, LeaveReason)
    }

    private let mixer: MixerHandle
    private let letters: AsyncStream<Letter>.Continuation

    init(_ mixer: MixerHandle) {
        self.mixer = mixer
        // Unbounded, but there are at most two letters for each INVITE that was accepted.
        let (stream, letters) = AsyncStream.makeStream(of: Letter.self)
        self.letters = letters
        Task {
            for await letter in stream {
                switch letter {
                case .joined(let member): await mixer.joined(member)
                case .left(let member, let reason): await mixer.leave(member, reason: reason)
                }
            }
        }
    }

    deinit { letters.finish() }

    func roomExists(_ room: RoomAddress) async -> Bool { await mixer.roomExists(room) }

    func reserve(_ request: JoinRequest) async throws(JoinRefusal) -> Reservation { try await mixer.reserve(request) }

    func renegotiate(_ member: MemberID, media: PeerMedia, newSession: Bool) async throws(JoinRefusal) -> Reservation {
        try await mixer.renegotiate(member, media: media, newSession: newSession)
    }

    func joined(_ member: MemberID) { letters.yield(.joined(member)) }

    func leave(_ member: MemberID, reason: LeaveReason) { letters.yield(.left(member, reason)) }
}
