package import Logging
package import MSRPTransport
import NIOCore

/// The mixer as others see it: Sendable, each method hops to the event loop that owns the rooms.
package struct MixerHandle: Sendable {
    private let transport: TransportHandle
    private let bound: NIOLoopBound<Mixer>

    /// Makes a mixer on the transport's loop. Events are delivered on that loop, in order; the callback may not block.
    package static func start(
        transport: TransportHandle, configuration: MixerConfiguration, services: MixerServices = MixerServices(),
        logger: Logger,
        events: @escaping @Sendable (MemberEvent) -> Void
    ) async -> MixerHandle {
        let bound = await transport.perform { loop in
            NIOLoopBound(
                Mixer(
                    transport: loop, configuration: configuration, services: services, logger: logger, events: events),
                eventLoop: loop.eventLoop)
        }
        return MixerHandle(transport: transport, bound: bound)
    }

    /// Opens a room, or gives one that is open other terms.
    package func open(_ room: RoomTerms) async {
        await perform { $0.open(room) }
    }

    /// Closes a room whose terms are not newer than `version`. Members that are still there leave with `.removed`.
    package func close(_ room: RoomAddress, version: UInt64) async {
        await perform { $0.close(room, version: version) }
    }

    /// What holds in a room; nil when it isn't open.
    package func terms(of room: RoomAddress) async -> RoomTerms? {
        await perform { $0.room(room)?.terms }
    }

    /// Makes the room if need be (`JoinRequest.terms`), the member (pending) and its session. They exist when this returns.
    ///
    /// For an offerless INVITE `media.path` is empty; `renegotiate` without a new session brings the peer's answer.
    package func reserve(_ request: JoinRequest) async throws(JoinRefusal) -> Reservation {
        try await perform { $0.reserve(request) }.get()
    }

    /// The ACK arrived: the member is in the roster now, and if we are the active side we connect now.
    package func joined(_ member: MemberID) async {
        await perform { $0.member(member)?.joined() }
    }

    /// New media from a re-INVITE or UPDATE. With a new session the old session-id answers 481 from now on.
    package func renegotiate(_ member: MemberID, media: PeerMedia, newSession: Bool) async throws(JoinRefusal)
        -> Reservation
    { try await perform { $0.renegotiate(member, media: media, newSession: newSession) }.get() }

    package func setDirection(_ member: MemberID, _ direction: PeerMedia.Direction) async {
        await perform { $0.member(member)?.setDirection(direction) }
    }

    /// The dialog is over: the session ends in an orderly way. Unknown members are ignored.
    package func leave(_ member: MemberID, reason: LeaveReason) async {
        await perform { $0.leave(member, reason: reason) }
    }

    /// Everybody leaves and nobody may join any more; `TransportHandle.shutdown` waits for the connections.
    package func closeAll() async {
        await perform { $0.closeAll() }
    }

    /// Who is joined, in the order in which they came.
    package func roster(_ room: RoomAddress) async -> [MemberSnapshot] {
        await perform { $0.roster(room) }
    }

    package func counters() async -> MixerCounters {
        await perform { $0.snapshot }
    }

    /// Whether the participant is told of the roster by SIP; rooms may leave it out when they say who came and left.
    package func setSubscribed(_ member: MemberID, _ isSubscribed: Bool) async {
        await perform { $0.member(member)?.isSubscribed = isSubscribed }
    }

    func perform<R: Sendable>(_ body: @escaping @Sendable (Mixer) -> R) async -> R {
        let bound = bound
        return await transport.perform { _ in
            bound.value.turnBegan()
            return body(bound.value)
        }
    }
}
