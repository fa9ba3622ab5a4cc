// The options of the relay: msrprelay's, by the same names and with the same defaults, and our own.

extension Options {
    enum Relay {
        static let all: [any OptionDescription] = [
            address, hostname, certificate, key, defaultDomain, allowOtherMethods, debugNoTLS, logFailedAuth,
            maxAuthAttempts, challengeExpiration, minimumExpires, defaultExpires, maximumExpires, maximumSessionTime,
            backend, peers, egress, window, sessionRate, accountRate, logLevel,
        ]

        static let address = Option(
            "Relay", "address", default: HostPort(host: "0.0.0.0", port: 2855), "(that of [MSRP], else 0.0.0.0:2855)",
            example: "0.0.0.0:2855", read: Values.hostPort,
            "Address and port for clients and other peers, plain and TLS. A name is looked up. The same as [MSRP]",
            "address, or one of its own.")
        static let hostname = Option<String?>(
            "Relay", "hostname", default: nil, "(the certificate's first name)", example: "relay.example.com",
            read: Values.hostName,
            "The host in the relay's session URIs: a name or address by which everybody reaches it, and for which the",
            "certificate is.")
        static let certificate = Option<String?>(
            "Relay", "certificate", default: nil, "(that of [MSRP], of [SIP], else generated)", example: "relay.crt",
            read: Values.file,
            "PEM file with the relay's certificate, followed by its chain. Relative to this file's folder.")
        static let key = Option<String?>(
            "Relay", "key", default: nil, "(that of [MSRP], of [SIP], else generated)", example: "relay.key",
            read: Values.file,
            "PEM file with the private key of that certificate. Relative to this file's folder.")
        static let defaultDomain = Option<String?>(
            "Relay", "default_domain", default: nil, "(the host of AUTH's To-Path)", example: "example.com",
            read: Values.hostName,
            "The realm of all accounts. Without it one relay serves many domains.")
        static let allowOtherMethods = Option<Bool>(
            "Relay", "allow_other_methods", default: true, "Yes", read: Values.boolean,
            "Whether methods beyond SEND, REPORT and NICKNAME are relayed. No: they get 501.")
        static let debugNoTLS = Option<Bool>(
            "Relay", "debug_notls", default: false, "No", read: Values.boolean,
            "Whether AUTH is accepted without TLS, which RFC 4976 forbids. For tests.")
        static let logFailedAuth = Option<Bool>(
            "Relay", "log_failed_auth", default: false, "No", read: Values.boolean,
            "Whether each refused AUTH is logged.")
        static let maxAuthAttempts = Option<Int>(
            "Relay", "max_auth_attempts", default: 3, "3", read: Values.count(1...1000),
            "The failed AUTH of this number ends its connection.")
        static let challengeExpiration = Option<Duration>(
            "Relay", "auth_challenge_expiration_time", default: .seconds(15), "15 s",
            read: Values.duration(.seconds(1) ... .seconds(3600)),
            "How long a challenge can be answered; later answers get a new one.")
        static let minimumExpires = Option<Int>(
            "Relay", "minimum_expires", aliases: ["session_expiration_time_minimum"], default: 60, "60 s",
            read: Values.seconds(1...2_000_000),
            "The shortest Expires a client may ask for; 423 below.")
        static let defaultExpires = Option<Int>(
            "Relay", "default_expires", aliases: ["session_expiration_time_default"], default: 600, "600 s",
            read: Values.seconds(1...2_000_000),
            "What a client gets that asks for none. Its session, once in use, lives as long as its connection.")
        static let maximumExpires = Option<Int>(
            "Relay", "maximum_expires", aliases: ["session_expiration_time_maximum"], default: 3600, "3600 s",
            read: Values.seconds(1...2_000_000),
            "The longest Expires a client may ask for; 423 above.")
        static let maximumSessionTime = Option<Duration?>(
            "Relay", "maximum_session_time", default: nil, "(unlimited)", example: "24 h",
            read: { (text, context) throws(ValueError) in
                if text.lowercased() == "unlimited" { return nil }
                return try Values.duration(.seconds(1) ... .seconds(366 * 86_400))(text, context)
            },
            "The longest life of a session whose client asked for no Expires.")
        static let backend = Option<RelayBackend>(
            "Relay", "backend", default: .database, "database", read: Values.choice(RelayBackend.self),
            "Where the accounts are: database, as [Database] says, or memory, as [Memory] says.")
        static let peers = Option<[HostPort]>(
            "Relay", "peers", default: [], "(none)", example: "relay.example.org, relay.example.net:2855",
            read: Values.hostPorts,
            "Other relays, host[:port], that clients may AUTH to through this one, and that may AUTH here for their",
            "clients (RFC 4976 section 6.3). Their certificates must be good for these names.")
        static let egress = Option<EgressChoice>(
            "Relay", "egress", default: .automatic, "automatic", read: Values.choice(EgressChoice.self),
            "Where the relay connects at a client's word; values as for [MSRP] egress. automatic: as [MSRP] egress says,",
            "and where that is automatic too, anywhere from a host that has no public address of its own.")
        static let window = Option<Int>(
            "Relay", "window", default: 256 << 10, "256 KiB", read: Values.size((16 << 10)...(64 << 20)),
            "Bytes of a session that wait for a slow receiver before its sender is slowed down.")
        static let sessionRate = Option<Int?>(
            "Relay", "session_rate", default: nil, "(unlimited)", example: "1 MiB", read: Values.rate,
            "Most bytes a second that a session may pass in each direction.")
        static let accountRate = Option<Int?>(
            "Relay", "account_rate", default: nil, "(unlimited)", example: "4 MiB", read: Values.rate,
            "The same for all sessions of an account together.")
        static let logLevel = Option<LogLevel?>(
            "Relay", "log_level", default: nil, "(that of [Log])", example: "DEBUG",
            read: { (text, context) throws(ValueError) in try Values.choice(LogLevel.self)(text, context) },
            "[Log] level for the relay's own lines.")
    }

    enum Database {
        static let all: [any OptionDescription] = [
            uri, cleartextPasswords, subscriberTable, usernameColumn, domainColumn, passwordColumn, ha1Column,
            ha1SHA256Column, cacheTime,
        ]

        static let uri = Option<String?>(
            "Database", "uri", default: nil, "(confd.sqlite in the state directory; see confd account)",
            example: "sqlite:///var/lib/opensips/opensips.sqlite", read: Values.optionalText,
            "sqlite:///path of a database with an OpenSIPS or Kamailio subscriber table. It is only read.")
        static let cleartextPasswords = Option<Bool>(
            "Database", "cleartext_passwords", default: true, "Yes", read: Values.boolean,
            "Whether password_col holds passwords. No: ha1_col holds H(user:domain:password) by MD5. Holds for uri.")
        static let subscriberTable = Option<String>(
            "Database", "subscriber_table", default: "subscriber", "subscriber", read: Values.text,
            "The table with the accounts.")
        static let usernameColumn = Option<String>(
            "Database", "username_col", default: "username", "username", read: Values.text,
            "The column with the part before the @.")
        static let domainColumn = Option<String>(
            "Database", "domain_col", default: "domain", "domain", read: Values.text,
            "The column with the part after the @: the realm.")
        static let passwordColumn = Option<String>(
            "Database", "password_col", default: "password", "password", read: Values.text,
            "The column with the password in clear text.")
        static let ha1Column = Option<String>(
            "Database", "ha1_col", default: "ha1", "ha1", read: Values.text,
            "The column with the MD5 hash.")
        static let ha1SHA256Column = Option<String>(
            "Database", "ha1_sha256_col", default: "ha1_sha256", "ha1_sha256", read: Values.text,
            "The column with the SHA-256 hash, where there is one. SHA-256 is offered when no account lacks it.")
        static let cacheTime = Option<Duration>(
            "Database", "cache_time", default: .seconds(5), "5 s",
            read: Values.duration(.seconds(0) ... .seconds(3600)),
            "How long an answer of the database is remembered; 0 s: it is asked each time.")
    }

    enum Certificate {
        static let certificate = Option<String?>(
            "Certificate", "certificate", default: nil, "(none)", example: "chat.crt", read: Values.file,
            "PEM file with the certificate for this name, followed by its chain.")
        static let key = Option<String?>(
            "Certificate", "key", default: nil, "(none)", example: "chat.key", read: Values.file,
            "PEM file with the private key of that certificate.")
    }
}

/// `[Relay] backend`
enum RelayBackend: String, CaseIterable, Sendable {
    case database, memory
}
