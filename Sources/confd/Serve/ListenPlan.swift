internal import MSRPTransport
internal import NIOCore

/// Which ports carry messages, and for whom: rooms and relay share one listener, or have their own.
struct ListenPlan: Equatable, Sendable {
    /// An address to listen on and the option that asks for it.
    struct Place: Equatable, Sendable {
        var address: ListenAddress
        /// `MSRP` or `Relay`: the section whose `address` it is.
        var section: String
    }

    /// Each once, in the order in which they are opened.
    private(set) var places: [Place] = []
    /// The rooms' share; empty without SIP.
    private(set) var msrp: [ListenAddress] = []
    /// The relay's share; empty without a relay.
    private(set) var relay: [ListenAddress] = []

    /// Looks names up, which may take as long as the resolver does.
    init(_ settings: Settings) throws(StartError) {
        if settings.runsSIP { msrp = try Self.resolve(settings.msrp.host, settings.msrp.port, "MSRP") }
        if let settings = settings.relay { relay = try Self.resolve(settings.host, settings.port, "Relay") }
        shareWildcards()
        for address in msrp { add(address, "MSRP") }
        for address in relay { add(address, "Relay") }
    }

    /// Whether the relay has no address of its own.
    var isShared: Bool { msrp == relay || msrp.isEmpty || relay.isEmpty }

    private mutating func add(_ address: ListenAddress, _ section: String) {
        if !places.contains(where: { $0.address == address }) {
            places.append(Place(address: address, section: section))
        }
    }

    /// The same listener under another address.
    fileprivate mutating func rename(_ old: ListenAddress, _ new: ListenAddress) {
        for index in places.indices where places[index].address == old { places[index].address = new }
        msrp = msrp.map { $0 == old ? new : $0 }
        relay = relay.map { $0 == old ? new : $0 }
    }

    /// A wildcard and a specific address on one port are one wildcard listener.
    private mutating func shareWildcards() {
        let all = Set(msrp + relay)
        func widest(_ address: ListenAddress) -> ListenAddress {
            let wildcard = ListenAddress(host: address.host.contains(":") ? "::" : "0.0.0.0", port: address.port)
            return address.port != 0 && all.contains(wildcard) ? wildcard : address
        }
        msrp = msrp.map(widest)
        relay = relay.map(widest)
    }

    /// `[::]` means IPv4 as well.
    private static func resolve(
        _ host: String, _ port: Int, _ section: String
    ) throws(StartError) -> [ListenAddress] {
        let host = host == "*" ? "::" : host
        guard let address = try? SocketAddress.makeAddressResolvingHost(host, port: port),
            let numeric = address.ipAddress
        else { throw StartError(section, "address", "'\(host)' can't be found: no such host") }
        let own = ListenAddress(host: numeric, port: port)
        return numeric == "::" ? [own, ListenAddress(host: "0.0.0.0", port: port)] : [own]
    }
}

/// The listeners that are open, by what was asked for.
struct OpenListeners: Sendable {
    private(set) var plan: ListenPlan
    private var actual: [ListenAddress: SocketAddress] = [:]

    var msrp: [SocketAddress] { plan.msrp.compactMap { actual[$0] } }
    var relay: [SocketAddress] { plan.relay.compactMap { actual[$0] } }

    /// Opens all of `plan`, or none.
    static func open(_ plan: ListenPlan, on transport: TransportHandle) async throws(StartError) -> OpenListeners {
        var listeners = OpenListeners(plan: plan)
        try await listeners.add(plan.places, on: transport)
        return listeners
    }

    private init(plan: ListenPlan) { self.plan = plan }

    /// Opens what `next` has and this has not, then closes what `next` has not; connections live on. When a listener
    /// can't be opened, all is as it was.
    mutating func move(to next: ListenPlan, on transport: TransportHandle) async throws(StartError) {
        // A port that the system chose may be written down by now.
        for place in next.places where actual[place.address] == nil {
            guard let same = actual.first(where: { Self.isAt($0.value, place.address) })?.key else { continue }
            actual[place.address] = actual.removeValue(forKey: same)
            plan.rename(same, place.address)
        }
        let new = next.places.filter { actual[$0.address] == nil }
        let old = plan.places.filter { place in !next.places.contains { $0.address == place.address } }
        // The system refuses a wildcard while one of its addresses is listened on, and the other way round; then
        // the old one has to go first.
        let blocking = old.filter { place in new.contains { Self.overlaps($0.address, place.address) } }
        await close(blocking.map(\.address), on: transport)
        do throws(StartError) {
            try await add(new, on: transport)
        } catch {
            try? await add(blocking, on: transport)
            throw error
        }
        await close(old.map(\.address).filter { actual[$0] != nil }, on: transport)
        plan = next
    }

    /// Opens all of them, or none.
    private mutating func add(_ places: [ListenPlan.Place], on transport: TransportHandle) async throws(StartError) {
        var opened: [ListenAddress] = []
        for place in places {
            var asked = place.address
            // The IPv4 half of `[::]:0` goes where the IPv6 half went.
            if asked.port == 0, asked.host == "0.0.0.0",
                let port = actual[ListenAddress(host: "::", port: 0)]?.port
            {
                asked = ListenAddress(host: asked.host, port: port)
            }
            do throws(ListenError) {
                actual[place.address] = try await transport.listen(on: [asked]).first
                opened.append(place.address)
            } catch {
                await close(opened, on: transport)
                throw Self.explain(error, asked, place.section)
            }
        }
    }

    private mutating func close(_ addresses: [ListenAddress], on transport: TransportHandle) async {
        let closing = addresses.compactMap { actual.removeValue(forKey: $0) }
        if !closing.isEmpty { await transport.stopListening(on: closing) }
    }

    private static func isAt(_ address: SocketAddress, _ asked: ListenAddress) -> Bool {
        address.ipAddress == asked.host && address.port == asked.port
    }

    private static func overlaps(_ one: ListenAddress, _ other: ListenAddress) -> Bool {
        one.port != 0 && one.port == other.port && one.host.contains(":") == other.host.contains(":")
            && (Settings.isWildcard(one.host) || Settings.isWildcard(other.host))
    }

    private static func explain(_ error: ListenError, _ address: ListenAddress, _ section: String) -> StartError {
        switch error {
        case .addressInUse: return .inUse(section, "address", "\(address)")
        case .notAnAddress: return StartError(section, "address", "\(address) is not an address")
        case .cannotListen(_, let reason):
            return StartError(section, "address", "can't listen on \(address): \(reason)")
        }
    }
}
