/// What an operator should know of a configuration without problems: above all where the relay does with it other
/// than msrprelay would.
struct ConfigurationNotes {
    private(set) var lines: [String] = []
    private let source: SettingsSource

    init(_ settings: Settings, _ source: SettingsSource) {
        self.source = source
        callers(settings)
        guard let relay = settings.relay else {
            let used =
                settings.accountsBackend == .memory ? "Memory" : settings.accountsBackend != nil ? "Database" : ""
            for section in ["Database", "Memory"] where source.has(section) && section != used {
                lines.append("note: [\(section)] is not used: nobody is asked for an account of it")
            }
            return
        }
        if !settings.runsSIP {
            lines.append("note: no [SIP] section: the relay runs alone, without SIP ports and rooms")
            if source.isGiven(Options.MSRP.address), source.isGiven(Options.Relay.address) {
                add(Options.MSRP.address, "not used: the relay is alone, and has an address of its own")
            }
        }
        connections(settings, relay)
        authentication(settings, relay)
        accounts(settings, relay)
        if let level = relay.logLevel {
            add(
                Options.Relay.logLevel,
                "means '\(level.rawValue)' of confd's levels, for the relay's own lines; [Log] level holds for the rest"
            )
        }
    }

    private mutating func callers(_ settings: Settings) {
        guard settings.runsSIP else { return }
        switch settings.sip.auth {
        case .none where !settings.sip.isOnLoopback:
            add(
                Options.SIP.auth,
                "none: everybody who reaches a SIP port is believed to be whom they say; with [MSRP] egress = automatic "
                    + "confd then connects only to where a call came from")
        case .trustedOnly where settings.sip.trusted.isEmpty && settings.sip.trustedNames.isEmpty:
            add(Options.SIP.auth, "trusted-only, and nobody is trusted: nobody can call")
        default: break
        }
    }

    private mutating func connections(_ settings: Settings, _ relay: Settings.Relay) {
        if relay.certificate == nil, settings.msrp.certificate == nil, settings.sip.certificate == nil {
            add(
                Options.Relay.certificate,
                "none: one is generated in the state directory, which clients that check certificates refuse")
        }
        switch relay.egress {
        case .automatic where Settings.isWildcard(relay.host):
            add(
                Options.Relay.egress,
                "automatic: on a host with a public address, clients' peers are connected to on public addresses only; "
                    + "msrprelay connected anywhere. For peers in private networks: [Relay] egress = any")
        case .public:
            add(Options.Relay.egress, "public: the relay connects to peers on public addresses only, unlike msrprelay")
        case .sameSource:
            add(
                Options.Relay.egress,
                "same-source: the relay connects only to peers at the address its client comes from; others have to connect "
                    + "to it, unlike with msrprelay")
        default: break
        }
        add(
            Options.MSRP.maxConnectionsPerAddress,
            "at most \(settings.msrp.maxConnectionsPerAddress) connections from one address, which may be a NAT with many "
                + "clients; msrprelay had no limit")
        if settings.msrp.verifyPeers {
            add(
                Options.MSRP.verify,
                "the certificates of peers that the relay connects to are checked; msrprelay did not")
        }
    }

    private mutating func authentication(_ settings: Settings, _ relay: Settings.Relay) {
        if relay.debugNoTLS {
            add(Options.Relay.debugNoTLS, "AUTH is accepted without TLS: for tests only (RFC 4976 forbids it)")
        }
        if let realm = relay.defaultDomain {
            add(Options.Relay.defaultDomain, "the realm is '\(realm)' whatever domain a client asks for")
            for entry in source.accounts where entry.account.domain != realm && relay.backend == .memory {
                let text = "not in the realm '\(realm)' of default_domain: nobody can use this account"
                add(entry.origin, "Memory", "\(entry.account.username)@\(entry.account.domain)", text)
            }
        }
        add(
            Options.Relay.maximumExpires,
            "an Expires in AUTH is kept to: the session ends then unless it is refreshed; msrprelay never ended one")
        add(
            Options.Relay.defaultExpires,
            "a session asked for without Expires ends after \(relay.defaultExpires) s if nobody uses it, else with its "
                + "connection" + (relay.maximumSessionTime == nil ? "" : " or after maximum_session_time"))
    }

    private mutating func accounts(_ settings: Settings, _ relay: Settings.Relay) {
        switch relay.backend {
        case .memory:
            if settings.memory.isEmpty { add(Options.Relay.backend, "memory, but [Memory] has no accounts") }
            if source.isGiven(Options.Database.uri) { add(Options.Database.uri, "not used: [Relay] backend is memory") }
        case .database:
            if !settings.memory.isEmpty {
                add(Options.Relay.backend, "database: the accounts of [Memory] are not used")
            }
            if settings.database.uri == nil {
                add(Options.Database.uri, "none: the accounts are those of `confd account`, in the state directory")
            } else if settings.database.cleartextPasswords {
                add(
                    Options.Database.cleartextPasswords,
                    "Yes: clients are offered SHA-256 too; msrprelay offered MD5 alone")
            } else {
                add(
                    Options.Database.ha1SHA256Column,
                    "SHA-256 is offered when the table has the column '\(settings.database.ha1SHA256Column)' and no "
                        + "account lacks it; else MD5 alone, as by msrprelay")
            }
        }
    }

    private mutating func add(_ option: any OptionDescription, _ text: String) {
        add(source.origin(of: option), option.section, option.key, text)
    }

    private mutating func add(_ origin: Problem.Origin, _ section: String, _ key: String, _ text: String) {
        lines.append("note: \(Problem(origin, section: section, key: key, text))")
    }
}
