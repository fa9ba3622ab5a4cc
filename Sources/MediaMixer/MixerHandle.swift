package import Logging
package import MSRPTransport

/// The mixer as others see it: Sendable, each method hops to the event loop that owns the rooms.
package struct MixerHandle: Sendable {
    /// Makes a mixer on the transport's loop. Events are delivered on that loop, in order; the callback may not block.
    package static func start(
        transport: TransportHandle, configuration: MixerConfiguration, logger: Logger,
        events: @escaping @Sendable (MemberEvent) -> Void
    ) async -> MixerHandle {
        MixerHandle()
    }

    /// Sets the static rooms. Those no longer named live on until their last member leaves.
    package func configureRooms(_ rooms: [RoomConfiguration]) async {}

    package func roomExists(_ room: RoomAddress) async -> Bool { false }

    package func roomConfiguration(_ room: RoomAddress) async -> RoomConfiguration? { nil }

    /// Makes the room if need be, the member (pending) and its session. They exist when this returns.
    package func reserve(_ request: JoinRequest) async throws(JoinRefusal) -> Reservation { throw .noSuchRoom }

    /// The ACK arrived: the member is in the roster now.
    package func joined(_ member: MemberID) async {}

    /// New media from a re-INVITE or UPDATE. With a new session the old session-id answers 481 from now on.
    package func renegotiate(_ member: MemberID, media: PeerMedia, newSession: Bool) async throws(JoinRefusal)
        -> Reservation
    { throw .noSuchMember }

    package func setDirection(_ member: MemberID, _ direction: PeerMedia.Direction) async {}

    /// The dialog is over: the session ends in an orderly way. Unknown members are ignored.
    package func leave(_ member: MemberID, reason: LeaveReason) async {}

    /// Everybody leaves and nobody may join; returns when the connections are closed, at the latest after 2 s.
    package func closeAll() async {}

    package func roster(_ room: RoomAddress) async -> [MemberSnapshot] { [] }

    package func counters() async -> MixerCounters { MixerCounters() }
}
