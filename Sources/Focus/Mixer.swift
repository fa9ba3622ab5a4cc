package import FileSpool
package import MediaMixer

/// What the focus needs of the mixer.
///
/// What isn't waited for keeps its order, so an ACK with a BYE behind it is seen as that.
package protocol Mixer: Sendable {
    /// Opens a room, or changes it.
    func open(_ room: RoomTerms)
    /// - Parameter version: that of the room's last terms; one opened anew meanwhile has a larger one, and stays.
    func close(_ room: RoomAddress, version: UInt64)
    func reserve(_ request: JoinRequest) async throws(JoinRefusal) -> Reservation
    func renegotiate(_ member: MemberID, media: PeerMedia, newSession: Bool) async throws(JoinRefusal) -> Reservation
    /// What the client of somebody we called is, by its answer.
    func setUserAgent(_ userAgent: String, of member: MemberID)
    func joined(_ member: MemberID)
    func leave(_ member: MemberID, reason: LeaveReason)
    /// Whether the participant is told of the roster: then the room need not say who came and left.
    func setSubscribed(_ member: MemberID, _ isSubscribed: Bool)

    // MARK: Files

    func reserveFile(_ request: FileRequest) async throws(JoinRefusal) -> FileReservation
    func renegotiateFile(_ transfer: FileTransferID, media: PeerMedia) async throws(JoinRefusal)
    /// The ACK came.
    func startFile(_ transfer: FileTransferID)
    /// The dialog is over.
    func endFile(_ transfer: FileTransferID)
    /// Tells the people in a room of a file.
    func announce(_ file: SpooledFile, in room: RoomAddress)
}

/// The real mixer, with the calls nobody waits for sent through one queue.
final class MixerPost: Mixer {
    private enum Letter: Sendable {
        case userAgent(String, MemberID)
        case joined(MemberID)
        case left(MemberID, LeaveReason)
        case subscribed(MemberID, Bool)
        case opened(RoomTerms)
        case closed(RoomAddress, version: UInt64)
        case fileStarted(FileTransferID)
        case fileEnded(FileTransferID)
        case announced(SpooledFile, RoomAddress)
    }

    private let mixer: MixerHandle
    private let letters: AsyncStream<Letter>.Continuation

    init(_ mixer: MixerHandle) {
        self.mixer = mixer
        // Unbounded, but there are at most three letters for each INVITE that was accepted, one for each change of a
        // room and for each file, and two for each subscription and device of a participant.
        let (stream, letters) = AsyncStream.makeStream(of: Letter.self)
        self.letters = letters
        Task {
            for await letter in stream {
                switch letter {
                case .userAgent(let agent, let member): await mixer.setUserAgent(agent, of: member)
                case .joined(let member): await mixer.joined(member)
                case .left(let member, let reason): await mixer.leave(member, reason: reason)
                case .subscribed(let member, let isSubscribed): await mixer.setSubscribed(member, isSubscribed)
                case .opened(let room): await mixer.open(room)
                case .closed(let room, let version): await mixer.close(room, version: version)
                case .fileStarted(let transfer): await mixer.startFile(transfer)
                case .fileEnded(let transfer): await mixer.endFile(transfer)
                case .announced(let file, let room): await mixer.announce(file, in: room)
                }
            }
        }
    }

    deinit { letters.finish() }

    func open(_ room: RoomTerms) { letters.yield(.opened(room)) }

    func close(_ room: RoomAddress, version: UInt64) { letters.yield(.closed(room, version: version)) }

    func reserve(_ request: JoinRequest) async throws(JoinRefusal) -> Reservation { try await mixer.reserve(request) }

    func renegotiate(_ member: MemberID, media: PeerMedia, newSession: Bool) async throws(JoinRefusal) -> Reservation {
        try await mixer.renegotiate(member, media: media, newSession: newSession)
    }

    func setUserAgent(_ userAgent: String, of member: MemberID) { letters.yield(.userAgent(userAgent, member)) }

    func joined(_ member: MemberID) { letters.yield(.joined(member)) }

    func leave(_ member: MemberID, reason: LeaveReason) { letters.yield(.left(member, reason)) }

    func setSubscribed(_ member: MemberID, _ isSubscribed: Bool) { letters.yield(.subscribed(member, isSubscribed)) }

    func reserveFile(_ request: FileRequest) async throws(JoinRefusal) -> FileReservation {
        try await mixer.reserveFile(request)
    }

    func renegotiateFile(_ transfer: FileTransferID, media: PeerMedia) async throws(JoinRefusal) {
        try await mixer.renegotiateFile(transfer, media: media)
    }

    func startFile(_ transfer: FileTransferID) { letters.yield(.fileStarted(transfer)) }

    func endFile(_ transfer: FileTransferID) { letters.yield(.fileEnded(transfer)) }

    func announce(_ file: SpooledFile, in room: RoomAddress) { letters.yield(.announced(file, room)) }
}
