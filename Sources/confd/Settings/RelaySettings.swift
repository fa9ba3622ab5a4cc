internal import Store

extension Settings {
    /// `[Relay]`, there only when the section is.
    struct Relay: Equatable, Sendable {
        var host: String
        var port: Int
        var hostname: String?
        var certificate: String?
        var key: String?
        var defaultDomain: String?
        var allowOtherMethods: Bool
        var debugNoTLS: Bool
        var logFailedAuth: Bool
        var maxAuthAttempts: Int
        var challengeExpiration: Duration
        /// Seconds.
        var minimumExpires: Int
        var defaultExpires: Int
        var maximumExpires: Int
        var maximumSessionTime: Duration?
        var backend: RelayBackend
        var peers: [HostPort]
        /// That of [MSRP] where it is automatic.
        var egress: EgressChoice
        /// Bytes.
        var window: Int
        /// Bytes a second.
        var sessionRate: Int?
        var accountRate: Int?
        var logLevel: LogLevel?
    }

    /// `[Database]`
    struct Database: Equatable, Sendable {
        /// Nil: the embedded database.
        var uri: String?
        var cleartextPasswords: Bool
        var subscriberTable: String
        var usernameColumn: String
        var domainColumn: String
        var passwordColumn: String
        var ha1Column: String
        var ha1SHA256Column: String
        var cacheTime: Duration
    }

    /// A line of `[Memory]`.
    struct MemoryAccount: Equatable, Sendable {
        var username: String
        /// In lower case.
        var domain: String
        var password: String
    }

    /// A `[Certificate domain]` that has its files.
    struct DomainCertificate: Equatable, Sendable {
        var domain: String
        var certificate: String
        var key: String
    }
}

extension Settings.Relay {
    init(_ source: inout SettingsSource) {
        let address = source.value(Options.Relay.address)
        host = address.host
        port = address.port ?? 2855
        hostname = source.value(Options.Relay.hostname)
        certificate = source.value(Options.Relay.certificate)
        key = source.value(Options.Relay.key)
        defaultDomain = source.value(Options.Relay.defaultDomain)
        allowOtherMethods = source.value(Options.Relay.allowOtherMethods)
        debugNoTLS = source.value(Options.Relay.debugNoTLS)
        logFailedAuth = source.value(Options.Relay.logFailedAuth)
        maxAuthAttempts = source.value(Options.Relay.maxAuthAttempts)
        challengeExpiration = source.value(Options.Relay.challengeExpiration)
        minimumExpires = source.value(Options.Relay.minimumExpires)
        defaultExpires = source.value(Options.Relay.defaultExpires)
        maximumExpires = source.value(Options.Relay.maximumExpires)
        maximumSessionTime = source.value(Options.Relay.maximumSessionTime)
        backend = source.value(Options.Relay.backend)
        peers = source.value(Options.Relay.peers)
        egress = source.value(Options.Relay.egress)
        window = source.value(Options.Relay.window)
        sessionRate = source.value(Options.Relay.sessionRate)
        accountRate = source.value(Options.Relay.accountRate)
        logLevel = source.value(Options.Relay.logLevel)
    }
}

extension Settings.Database {
    init(_ source: inout SettingsSource) {
        uri = source.value(Options.Database.uri)
        cleartextPasswords = source.value(Options.Database.cleartextPasswords)
        subscriberTable = source.value(Options.Database.subscriberTable)
        usernameColumn = source.value(Options.Database.usernameColumn)
        domainColumn = source.value(Options.Database.domainColumn)
        passwordColumn = source.value(Options.Database.passwordColumn)
        ha1Column = source.value(Options.Database.ha1Column)
        ha1SHA256Column = source.value(Options.Database.ha1SHA256Column)
        cacheTime = source.value(Options.Database.cacheTime)
    }
}

extension Settings.DomainCertificate {
    /// Nil where the section has not both files, which is reported when it has one.
    init?(_ section: SettingsSource.CertificateSection, _ source: inout SettingsSource) {
        let certificate = source.value(Options.Certificate.certificate, in: section.section)
        let key = source.value(Options.Certificate.key, in: section.section)
        source.requirePair(Options.Certificate.certificate, Options.Certificate.key, in: section.section)
        guard let certificate, let key else { return nil }
        self.init(domain: section.domain, certificate: certificate, key: key)
    }
}

extension Settings {
    /// Rules of the relay that concern more than one option.
    func checkRelay(_ source: inout SettingsSource) {
        source.requirePair(Options.Relay.certificate, Options.Relay.key)
        guard let relay else { return }
        func report(_ option: any OptionDescription, _ text: String) { source.report(option, "Relay", text) }
        if relay.minimumExpires > relay.maximumExpires {
            report(Options.Relay.minimumExpires, "is more than maximum_expires; make it at most as long")
        } else if !(relay.minimumExpires...relay.maximumExpires).contains(relay.defaultExpires) {
            report(
                Options.Relay.defaultExpires,
                "is not between minimum_expires (\(relay.minimumExpires) s) and maximum_expires "
                    + "(\(relay.maximumExpires) s)")
        }
        if let hostname = relay.hostname, Self.isWildcard(hostname) {
            report(Options.Relay.hostname, "nobody can reach \(hostname); write a name or an address")
        }
        if relay.backend == .database, let uri = database.uri {
            do {
                _ = try DatabaseURI(uri)
            } catch {
                source.report(Options.Database.uri, "Database", error.description)
            }
        }
        for peer in relay.peers where Self.isWildcard(peer.host) {
            report(Options.Relay.peers, "'\(peer)' is no relay; write its name")
        }
    }
}
