package import Logging
package import MSRPTransport
import NIOCore

/// The mixers of all loops as others see them: one, Sendable; each method hops to the event loop that has the room.
///
/// A room and all its members are on one loop (`RoomPlaces`). The number of a member or a transfer says which.
package struct MixerHandle: Sendable {
    private let transport: TransportHandle
    private let mixers: [NIOLoopBound<Mixer>]
    private let places: RoomPlaces
    private let share: MixerShare

    /// Makes a mixer on each of the transport's loops. Events are delivered on these loops, those of one room in order;
    /// the callback may not block.
    package static func start(
        transport: TransportHandle, configuration: MixerConfiguration, services: MixerServices = MixerServices(),
        logger: Logger,
        events: @escaping @Sendable (MemberEvent) -> Void
    ) async -> MixerHandle {
        let share = MixerShare(loops: transport.loopCount)
        let mixers = await transport.performOnAll { loop in
            NIOLoopBound(
                Mixer(
                    transport: loop, share: share, configuration: configuration, services: services, logger: logger,
                    events: events),
                eventLoop: loop.eventLoop)
        }
        return MixerHandle(
            transport: transport, mixers: mixers, places: RoomPlaces(loops: mixers.count), share: share)
    }

    private init(transport: TransportHandle, mixers: [NIOLoopBound<Mixer>], places: RoomPlaces, share: MixerShare) {
        self.transport = transport
        self.mixers = mixers
        self.places = places
        self.share = share
    }

    /// Opens a room, or gives one that is open other terms.
    package func open(_ room: RoomTerms) async {
        await perform(room: room.address) { $0.open(room) }
    }

    /// Closes a room whose terms are not newer than `version`. Members that are still there leave with `.removed`.
    package func close(_ room: RoomAddress, version: UInt64) async {
        await perform(room: room) { $0.close(room, version: version) }
    }

    /// What holds in a room; nil when it isn't open.
    package func terms(of room: RoomAddress) async -> RoomTerms? {
        await perform(room: room) { $0.room(room)?.terms }
    }

    /// Makes the room if need be (`JoinRequest.terms`), the member (pending) and its session. They exist when this returns.
    ///
    /// For an offerless INVITE `media.path` is empty; `renegotiate` without a new session brings the peer's answer.
    package func reserve(_ request: JoinRequest) async throws(JoinRefusal) -> Reservation {
        try await perform(room: request.room) { $0.reserve(request) }.get()
    }

    /// The ACK arrived: the member is in the roster now, and if we are the active side we connect now.
    package func joined(_ member: MemberID) async {
        await perform(member: member) { $0.member(member)?.joined() }
    }

    /// New media from a re-INVITE or UPDATE. With a new session the old session-id answers 481 from now on.
    package func renegotiate(_ member: MemberID, media: PeerMedia, newSession: Bool) async throws(JoinRefusal)
        -> Reservation
    { try await perform(member: member) { $0.renegotiate(member, media: media, newSession: newSession) }.get() }

    package func setDirection(_ member: MemberID, _ direction: PeerMedia.Direction) async {
        await perform(member: member) { $0.member(member)?.setDirection(direction) }
    }

    /// The dialog is over: the session ends in an orderly way. Unknown members are ignored.
    package func leave(_ member: MemberID, reason: LeaveReason) async {
        await perform(member: member) { $0.leave(member, reason: reason) }
    }

    /// Everybody leaves and nobody may join any more; `TransportHandle.shutdown` waits for the connections.
    package func closeAll() async {
        await performOnAll { $0.closeAll() }
    }

    /// Who is joined, in the order in which they came.
    package func roster(_ room: RoomAddress) async -> [MemberSnapshot] {
        await perform(room: room) { $0.roster(room) }
    }

    /// Of all loops together.
    package func counters() async -> MixerCounters {
        let all = await performOnAll { $0.snapshot }
        return all.dropFirst().reduce(into: all[0]) { $0.add($1) }
    }

    /// Whether the participant is told of the roster by SIP; rooms may leave it out when they say who came and left.
    package func setSubscribed(_ member: MemberID, _ isSubscribed: Bool) async {
        await perform(member: member) { $0.member(member)?.isSubscribed = isSubscribed }
    }

    /// The member's client, of whom we asked before it could tell (`MixerConfiguration.agentsWithoutChunks`).
    package func setUserAgent(_ userAgent: String, of member: MemberID) async {
        await perform(member: member) { $0.member(member)?.learn(userAgent: userAgent) }
    }

    // MARK: Whose it is

    /// Runs something on the loop that has the room, or would have it, as one turn of its mixer.
    func perform<R: Sendable>(room: RoomAddress, _ body: @escaping @Sendable (Mixer) -> R) async -> R {
        guard mixers.count > 1 else { return await perform(on: 0, body) }
        let places = places
        let loop = places.begin(room, members: share.members(of:))
        return await perform(on: loop) { mixer in
            let result = body(mixer)
            places.end(room, isOpen: mixer.room(room) != nil)
            return result
        }
    }

    /// The same on the member's loop.
    func perform<R: Sendable>(member: MemberID, _ body: @escaping @Sendable (Mixer) -> R) async -> R {
        await perform(on: LoopPlace.index(ofNumber: member.number, count: mixers.count), body)
    }

    /// The same on the transfer's loop: its number is one that `transport.place.number` made.
    func perform<R: Sendable>(transfer: FileTransferID, _ body: @escaping @Sendable (Mixer) -> R) async -> R {
        await perform(on: LoopPlace.index(ofNumber: transfer.number, count: mixers.count), body)
    }

    /// The same on every loop, one after another.
    /// - Returns: what each said.
    @discardableResult
    func performOnAll<R: Sendable>(_ body: @escaping @Sendable (Mixer) -> R) async -> [R] {
        var results: [R] = []
        for index in mixers.indices { results.append(await perform(on: index, body)) }
        return results
    }

    private func perform<R: Sendable>(on loop: Int, _ body: @escaping @Sendable (Mixer) -> R) async -> R {
        let bound = mixers[loop]
        return await transport.perform(on: loop) { _ in
            bound.value.turnBegan()
            return body(bound.value)
        }
    }
}
