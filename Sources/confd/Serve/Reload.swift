internal import Logging
internal import MSRPTransport
internal import NIOGnuTLS

/// What reading the configuration again came to.
struct ReloadOutcome: Equatable, Sendable {
    /// Options and sections whose new values hold, as they are written: `[Relay] window`.
    var changed: [String] = []
    /// Those whose new values wait for a restart.
    var waiting: [String] = []
}

/// The new settings beside those that hold: what can be taken now, and what waits for a restart.
struct ReloadPlan {
    /// With the values that hold now wherever the new ones have to wait.
    private(set) var settings: Settings
    private(set) var outcome = ReloadOutcome()

    init(_ loaded: SettingsFile.Loaded, current: Settings, inForce: [SettingsSource.Place: String]) {
        settings = loaded.settings
        settings.sip.keepStartOptions(of: current.sip)
        settings.conference.keepStartOptions(of: current.conference)
        settings.outbound.tlsVerify = current.outbound.tlsVerify
        settings.keepStartOptions(of: current.msrp)
        if loaded.settings.runsSIP != current.runsSIP {
            settings.runsSIP = current.runsSIP
            outcome.waiting.append(current.runsSIP ? "[SIP] (removed)" : "[SIP]")
        }
        if loaded.settings.relay == nil, current.relay != nil {
            settings.relay = current.relay
            settings.database = current.database
            settings.memory = current.memory
            outcome.waiting.append("[Relay] (removed)")
        } else if loaded.settings.relay != nil, current.relay == nil {
            outcome.changed.append("[Relay]")
        }
        for (place, value) in loaded.source.taken.sorted(by: {
            ($0.key.section, $0.key.key) < ($1.key.section, $1.key.key)
        }) {
            guard let option = Options.all.first(where: { $0.isAt(place) }), let old = inForce[place], old != value
            else {
                continue
            }
            let name = "[\(place.section)] \(place.key)"
            if option.isReadAgain { outcome.changed.append(name) } else { outcome.waiting.append(name) }
        }
        if settings.memory != current.memory { outcome.changed.append("[Memory]") }
        for room in settings.rooms
        where !current.rooms.contains(where: { $0.user == room.user && $0.domain == room.domain }) {
            outcome.changed.append("[Room \(room.user)@\(room.domain)]")
        }
        for room in current.rooms
        where !settings.rooms.contains(where: { $0.user == room.user && $0.domain == room.domain }) {
            outcome.changed.append("[Room \(room.user)@\(room.domain)] (removed)")
        }
    }
}

extension OptionDescription {
    /// Whether this describes the option at `place`.
    func isAt(_ place: SettingsSource.Place) -> Bool {
        key == place.key && section == place.section.split(separator: " ").first.map(String.init)
    }
}

extension Settings.SIP {
    fileprivate mutating func keepStartOptions(of current: Self) {
        var kept = current
        kept.auth = auth
        kept.nonceLifetime = nonceLifetime
        kept.trusted = trusted
        kept.trustedNames = trustedNames
        kept.requestRate = requestRate
        kept.requestBurst = requestBurst
        kept.failuresPerMinute = failuresPerMinute
        kept.throttleAll = throttleAll
        kept.maxSubscriptions = maxSubscriptions
        self = kept
    }
}

extension Settings.Conference {
    fileprivate mutating func keepStartOptions(of current: Self) {
        stateDirectory = current.stateDirectory
        maxRooms = current.maxRooms
        maximumParticipants = current.maximumParticipants
        plainText = current.plainText
        welcome = current.welcome
        pendingMessages = current.pendingMessages
        demo = current.demo
    }
}

extension Settings {
    fileprivate mutating func keepStartOptions(of current: MSRP) {
        msrp.maxMessageSize = current.maxMessageSize
        msrp.maxUnchunked = current.maxUnchunked
        msrp.gracePeriod = current.gracePeriod
        msrp.reconnectSameSession = current.reconnectSameSession
        msrp.transactionTimeout = current.transactionTimeout
        msrp.slowMemberWait = current.slowMemberWait
        msrp.threads = current.threads
        msrp.maxQueueSize = current.maxQueueSize
    }
}

extension Server {
    /// Takes what a new configuration without problems changes. Everything that can fail comes first, so either all of
    /// it holds or nothing has changed. Running sessions live on.
    func take(_ loaded: SettingsFile.Loaded) async throws(StartError) -> ReloadOutcome {
        let plan = ReloadPlan(loaded, current: settings, inForce: inForce)
        var outcome = plan.outcome
        let next = plan.settings

        let names = ServedDomains(next).certificateNames
        let nextCertificates = try Certificates(next, stateDirectory: stateDirectory, names: names)
        let transportConfiguration = try next.transport(nextCertificates)
        let peerTLS = try next.peerTLS(nextCertificates)
        let accounts = try await nextAccounts(next)
        do throws(StartError) {
            try await moveListeners(to: try ListenPlan(next))
        } catch {
            if let accounts, accounts.isNew { await accounts.value.close() }
            throw error
        }

        await transport.renew(transportConfiguration)
        if nextCertificates.onMSRPPorts(next).map(\.chain) != certificates.onMSRPPorts(settings).map(\.chain) {
            outcome.changed.append("certificates")
        }
        if nextCertificates.sip.chain != certificates.sip.chain, conference != nil {
            outcome.waiting.append("the certificate of [SIP]")
        }
        await change(to: next, nextCertificates, accounts?.value, peerTLS, loaded)
        return outcome
    }
}
