import MSRP

/// The relays of a user, found and ready to be asked.
enum RelayWay {
    static func find(
        _ options: RelayOptions, locator: RelayLocator = RelayLocator()
    ) async throws(ClientError) -> [SessionLink.Relay] {
        var generator = SystemRandomNumberGenerator()
        let candidates = try await locator.candidates(
            relay: options.relays.first, domain: options.user.domain, using: &generator)
        let scheme: URI.Scheme = options.security.usesTLS ? .msrps : .msrp
        // A relay that serves several domains takes the realm from this URI, so it names the domain, not the machine.
        let first = SessionLink.Relay(
            candidates: candidates,
            uri: URI(scheme: scheme, host: options.user.domain, port: candidates.first?.port, sessionID: nil),
            name: "the relay \(options.relays.first?.description ?? "of \(options.user.domain)")")
        // The others are found by the relay before them, which needs a name that leads there.
        let others = options.relays.dropFirst().map { relay in
            SessionLink.Relay(
                candidates: [],
                uri: URI(
                    scheme: scheme, host: relay.host, port: relay.port ?? RelayAddress.defaultPort, sessionID: nil),
                name: "the relay \(relay)")
        }
        return [first] + others
    }
}
