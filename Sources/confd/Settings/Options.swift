/// The table of all options, in the order in which the sample file shows them.
enum Options {
    static let all: [any OptionDescription] =
        [
            SIP.listen, SIP.advertise, SIP.domains, SIP.certificate, SIP.key, SIP.ackTimeout, SIP.sessionExpires,
            SIP.minSE,
            SIP.maxDialogs, SIP.shutdownTime, SIP.auth, SIP.nonceLifetime, SIP.trusted, SIP.trustedNames, SIP.trust,
            SIP.requestRate, SIP.requestBurst, SIP.failureRate, SIP.throttleAll, SIP.maxSubscriptions,
            MSRP.address, MSRP.advertise, MSRP.maxMessageSize, MSRP.certificate, MSRP.key, MSRP.trust, MSRP.verify,
            MSRP.egress, MSRP.maxUnchunked, MSRP.gracePeriod, MSRP.reconnectSameSession, MSRP.transactionTimeout,
            MSRP.connectTimeout, MSRP.handshakeTimeout, MSRP.silentTimeout, MSRP.slowMemberWait, MSRP.chunkTimeout,
            MSRP.noChunks, MSRP.threads,
            MSRP.maxConnections, MSRP.maxConnectionsPerAddress, MSRP.maxConnectsPerDestination, MSRP.maxHeadSize,
            MSRP.maxQueueSize, MSRP.offer,
            Conference.adhocRooms, Conference.adhocGrace, Conference.factory, Conference.notifyInterval,
            Conference.fullState, Conference.publishPersists, Conference.maxListEntries, Conference.maxDialOuts,
            Conference.maxDialOutsPerAccount, Conference.dialOutRate, Conference.dialOutTimeout,
            Conference.stateDirectory, Conference.maxRooms, Conference.maximumParticipants,
            Conference.plainText, Conference.welcome, Conference.pendingMessages, Conference.demo,
        ] + Rules.general + Habits.general + [
            Room.title, Room.subject, Room.welcome, Room.plainText, Room.maximumParticipants, Room.locked,
        ] + Rules.room + Habits.room + [
            Outbound.proxy, Outbound.user, Outbound.password, Outbound.tlsVerify,
            Certificate.certificate, Certificate.key,
        ] + Files.all + Relay.all + Database.all + [Log.level, Log.sipLevel, Log.target]

    /// What each section is for, in the sample's order.
    static let sections: [(name: String, documentation: [String])] = [
        ("SIP", ["Where calls come in."]),
        ("MSRP", ["Where messages travel: one port for plain and TLS connections, told apart by their first byte."]),
        ("Conference", ["What holds for all rooms."]),
        (
            "Room lobby@example.com",
            [
                "A room that exists from the start. Its name is user@domain: the user part is case-sensitive, the domain",
                "has to be one of [SIP] domains. Have as many of these sections as there are rooms.",
            ]
        ),
        (
            "Outbound",
            [
                "Calls of the conference's own: people are called by REFER or INVITE. Without a proxy, where DNS says",
                "(RFC 3263).",
            ]
        ),
        ("Files", ["Files that were sent to rooms (RFC 5547)."]),
        (
            "Certificate chat.example.com",
            [
                "A further certificate for TLS on the MSRP and relay ports, shown to clients that ask for this name (SNI).",
                "Have as many of these sections as there are names.",
            ]
        ),
        (
            "Relay",
            [
                "The MSRP relay (RFC 4976) for clients behind NAT. Without this section it is off and AUTH gets 501;",
                "with it and without a [SIP] section there is the relay alone: no SIP port, no rooms.",
            ]
        ),
        (
            "Database",
            ["Accounts in a database: [Relay] backend = database, and callers' (SIP) where [Memory] has none."]
        ),
        (
            "Memory",
            [
                "Accounts in this file, for callers (SIP) and, with [Relay] backend = memory, for the relay.",
                "user@domain = password; the user is case-sensitive.",
            ]
        ),
        ("Log", ["What is logged, and where."]),
    ]

    /// The section whose entries are accounts, not options.
    static let memory = "Memory"
    static let memoryExample = "alice@example.com = 1234"
    /// Sections that carry a name of the operator's: `[Room lobby@example.com]`.
    static let namedSections: Set<String> = ["Room", "Certificate"]
    /// All others, as they are written.
    static let plainSections: Set<String> = Set(all.map(\.section)).subtracting(namedSections).union([memory])

    enum SIP {
        /// Options whose change need not wait for a restart: the focus's, not the stack's.
        static let readAgain: Set<String> = [
            "auth", "nonce_lifetime", "trusted", "trusted_names", "request_rate", "request_burst",
            "failures_per_minute", "throttle_all", "max_subscriptions",
        ]

        static let listen = Option(
            "SIP", "listen",
            default: [
                ListenEntry(transport: .udp, host: "127.0.0.1", port: 5060),
                ListenEntry(transport: .tcp, host: "127.0.0.1", port: 5060),
                ListenEntry(transport: .tls, host: "127.0.0.1", port: 5061),
            ], "udp:127.0.0.1:5060, tcp:127.0.0.1:5060, tls:127.0.0.1:5061", read: Values.listen,
            "Transport, address and port of every listener, separated by commas. IPv6 in brackets: udp:[::1]:5060.",
            "tls-trusted: TLS for peers with a certificate that is believed and named in 'trusted_names', nobody else.",
            "0.0.0.0 is every IPv4 address. Port 0 lets the system choose; the choice is printed at start.")
        static let advertise = Option<HostPort?>(
            "SIP", "advertise", default: nil, "(the local address that faces the peer)", example: "chat.example.com",
            read: Values.optionalHostPort,
            "host[:port] that Contact headers show, for 1:1 NAT and containers.")
        static let domains = Option<[String]>(
            "SIP", "domains", default: [], "(every name and address of this host)", example: "example.com, 127.0.0.1",
            read: Values.domains,
            "Domains whose rooms are served, separated by commas. Calls to other domains get 404.")
        static let certificate = Option<String?>(
            "SIP", "certificate", default: nil, "(generated in the state directory)", example: "chat.crt",
            read: Values.file,
            "PEM file with the certificate for SIP over TLS, followed by its chain. Relative to this file's folder.")
        static let key = Option<String?>(
            "SIP", "key", default: nil, "(generated in the state directory)", example: "chat.key", read: Values.file,
            "PEM file with the private key of that certificate. Relative to this file's folder.")
        static let ackTimeout = Option<Duration>(
            "SIP", "ack_timeout", default: .seconds(5), "5 s", read: Values.duration(.seconds(1) ... .seconds(32)),
            "How long a 200 to an INVITE waits for its ACK before the participant is taken out of the room.")
        static let sessionExpires = Option<Duration>(
            "SIP", "session_expires", default: .seconds(1800), "1800 s",
            read: Values.duration(.seconds(90) ... .seconds(86_400)),
            "Session-Expires we ask for: a call that isn't refreshed within it has ended (RFC 4028).")
        static let minSE = Option<Duration>(
            "SIP", "min_se", default: .seconds(90), "90 s", read: Values.duration(.seconds(90) ... .seconds(86_400)),
            "Min-SE: the shortest session interval we accept (RFC 4028).")
        static let maxDialogs = Option<Int>(
            "SIP", "max_dialogs", default: 20_000, "20000", read: Values.count(1...1_000_000),
            "Most calls at a time; one more gets 480.")
        static let shutdownTime = Option<Duration>(
            "SIP", "shutdown_time", default: .seconds(3), "3 s", read: Values.duration(.seconds(0) ... .seconds(4)),
            "How long an orderly end waits for the answers to its BYEs.")
        static let auth = Option<AuthChoice?>(
            "SIP", "auth", default: nil, "(none where every listener is on loopback, else required)",
            example: "required",
            read: { (text, context) throws(ValueError) in try Values.choice(AuthChoice.self)(text, context) },
            "Whether callers prove who they are: required (by digest, with an account of 'confd account', [Memory] or",
            "[Database]; trusted peers need not), trusted-only (trusted peers, and nobody else) or none (From is believed:",
            "everybody who reaches this port is everybody).")
        static let nonceLifetime = Option<Duration>(
            "SIP", "nonce_lifetime", default: .seconds(300), "300 s",
            read: Values.duration(.seconds(1) ... .seconds(86_400)),
            "How long a challenge may be answered, and its answer be used again with a higher count.")
        static let trusted = Option<[String]>(
            "SIP", "trusted", default: [], "(none)", example: "192.0.2.10, 2001:db8:1::/48", read: Values.prefixes,
            "Addresses, or prefixes of addresses, of peers that are believed: a proxy in front. They are not challenged,",
            "and their P-Asserted-Identity counts.")
        static let trustedNames = Option<[String]>(
            "SIP", "trusted_names", default: [], "(none)", example: "proxy.example.com", read: Values.domains,
            "Names in the certificates of such peers, on a tls-trusted listener.")
        static let trust = Option<String?>(
            "SIP", "trust", default: nil, "(the system's authorities)", example: "authorities.pem", read: Values.file,
            "PEM file with the authorities whose certificates are believed: those of peers on tls-trusted listeners, and",
            "of servers that are called by TLS.")
        static let requestRate = Option<Int>(
            "SIP", "request_rate", default: 100, "100", read: Values.count(1...1_000_000),
            "Requests a second from one address (IPv6: one /64) that are looked at, in the long run; more get 503.")
        static let requestBurst = Option<Int>(
            "SIP", "request_burst", default: 500, "500", read: Values.count(1...1_000_000),
            "How many may come at once.")
        static let failureRate = Option<Int>(
            "SIP", "failures_per_minute", default: 30, "30", read: Values.count(1...1_000_000),
            "Wrong passwords and refused identities a minute from one address; more get 503.")
        static let throttleAll = Option<Bool>(
            "SIP", "throttle_all", default: false, "No", read: Values.boolean,
            "Whether these rates hold for loopback and trusted peers too.")
        static let maxSubscriptions = Option<Int>(
            "SIP", "max_subscriptions", default: 20_000, "20000", read: Values.count(1...1_000_000),
            "Most subscriptions to rosters at a time; one more gets 480.")
    }

    enum MSRP {
        /// Options whose change waits for a restart: they are in what the rooms were made with.
        static let readAtStart: Set<String> = [
            "max_message_size", "max_unchunked", "grace_period", "reconnect_same_session", "transaction_timeout",
            "slow_member_wait", "chunk_timeout", "no_chunks", "threads", "max_queue_size",
        ]

        static let address = Option(
            "MSRP", "address", default: HostPort(host: "127.0.0.1", port: 2855), "127.0.0.1:2855",
            read: Values.hostPort,
            "Address and port for plain and TLS connections. 0.0.0.0 is every IPv4 address, [::] every address;",
            "port 0 lets the system choose. Without a port: 2855. When only [Relay] has an address, it holds here too.")
        static let advertise = Option<HostPort?>(
            "MSRP", "advertise", default: nil, "(the local address that faces the peer)", example: "chat.example.com",
            read: Values.optionalHostPort,
            "host[:port] that our a=path shows. TLS clients check certificates against this name.")
        static let maxMessageSize = Option<Int>(
            "MSRP", "max_message_size", default: 10 << 20, "10 MiB", read: Values.size(1024...(1 << 30)),
            "The largest message that is accepted (413 above), and a=max-size.")
        static let certificate = Option<String?>(
            "MSRP", "certificate", default: nil, "(that of [SIP], else generated)", example: "chat.crt",
            read: Values.file,
            "PEM file with the certificate for MSRP over TLS, followed by its chain.")
        static let key = Option<String?>(
            "MSRP", "key", default: nil, "(that of [SIP], else generated)", example: "chat.key", read: Values.file,
            "PEM file with the private key of that certificate.")
        static let trust = Option<String?>(
            "MSRP", "trust", default: nil, "(the system's authorities)", example: "authorities.pem", read: Values.file,
            "PEM file with the authorities that verify_peers believes.")
        static let verify = Option<Bool>(
            "MSRP", "verify_peers", aliases: ["tls_verify"], default: false, "No", read: Values.boolean,
            "Whether the certificate of a peer we connect to by TLS must be good for its name (also tls_verify = on | off).",
            "A fingerprint in the peer's SDP is checked in any case, and takes the place of that.")
        static let egress = Option<EgressChoice>(
            "MSRP", "egress", default: .automatic, "automatic", read: Values.choice(EgressChoice.self),
            "Where confd connects at a peer's word (a=setup:passive). same-source: only the address the call came from;",
            "public: no loopback, private or link-local address; any: anywhere.",
            "automatic: any where [MSRP] address is loopback or private, else public.")
        static let maxUnchunked = Option<Int>(
            "MSRP", "max_unchunked", default: 1 << 20, "1 MiB", read: Values.size(2048...(1 << 30)),
            "Chat messages up to this size go out as one uninterrupted SEND, because common clients fail on a second",
            "chunk. Larger ones are cut into chunks.")
        static let gracePeriod = Option<Duration>(
            "MSRP", "grace_period", default: .seconds(10), "10 s",
            read: Values.duration(.seconds(0) ... .seconds(3600)),
            "How long a participant whose MSRP connection was lost may come back by re-INVITE before BYE.")
        static let reconnectSameSession = Option<Bool>(
            "MSRP", "reconnect_same_session", default: false, "No", read: Values.boolean,
            "Whether such a participant may also come back on the old path without a re-INVITE.")
        static let transactionTimeout = Option<Duration>(
            "MSRP", "transaction_timeout", default: .seconds(30), "30 s",
            read: Values.duration(.seconds(1) ... .seconds(300)),
            "A SEND not answered within this is a lost connection; through the relay: REPORT 408 (RFC 4975 says 30 s).")
        static let connectTimeout = Option<Duration>(
            "MSRP", "connect_timeout", default: .seconds(10), "10 s",
            read: Values.duration(.seconds(1) ... .seconds(120)),
            "How long connecting out may take.")
        static let handshakeTimeout = Option<Duration>(
            "MSRP", "handshake_timeout", default: .seconds(10), "10 s",
            read: Values.duration(.seconds(1) ... .seconds(120)),
            "How long a TLS handshake may take.")
        static let silentTimeout = Option<Duration>(
            "MSRP", "silent_timeout", default: .seconds(30), "30 s",
            read: Values.duration(.seconds(1) ... .seconds(3600)),
            "A connection that has not named its session within this is closed.")
        static let slowMemberWait = Option<Duration>(
            "MSRP", "slow_member_wait", default: .seconds(2), "2 s",
            read: Values.duration(.seconds(0) ... .seconds(60)),
            "The longest that a sender waits for slow participants that still make progress.")
        static let chunkTimeout = Option<Duration>(
            "MSRP", "chunk_timeout", default: .seconds(540), "540 s",
            read: Values.duration(.seconds(1) ... .seconds(86_400)),
            "How long a message that is passed on in chunks waits for its next one (RFC 7701 section 6.1).")
        static let noChunks = Option<[String]>(
            "MSRP", "no_chunks", default: ["sipsimple", "Blink"], "sipsimple, Blink",
            read: { (text, _) throws(ValueError) in
                text.split(separator: ",").map { String($0.trimmingBlanks()) }.filter { !$0.isEmpty }
            },
            "Clients, by the beginning of their User-Agent, that get messages larger than max_unchunked in one piece too,",
            "because they fail on a second chunk.")
        static let threads = Option<Int>(
            "MSRP", "threads", default: 1, "1", read: Values.count(1...64),
            "Threads that carry messages: rooms are spread over them, each with all its people on one. The relay and every",
            "connection's beginning are on the first. Other relays that put several clients on one connection want 1.")
        static let maxConnections = Option<Int>(
            "MSRP", "max_connections", default: 20_000, "20000", read: Values.count(1...1_000_000),
            "Most connections at a time.")
        static let maxConnectionsPerAddress = Option<Int>(
            "MSRP", "max_connections_per_address", default: 200, "200", read: Values.count(1...1_000_000),
            "Most connections from one address at a time; loopback is exempt.")
        static let maxConnectsPerDestination = Option<Int>(
            "MSRP", "max_connects_per_destination", default: 10, "10", read: Values.count(1...100_000),
            "Most outgoing connection attempts under way to one address (RFC 4975 section 14.5).")
        static let maxHeadSize = Option<Int>(
            "MSRP", "max_head_size", default: 16 << 10, "16 KiB", read: Values.size(1024...(1 << 20)),
            "The largest start line with headers; more closes the connection.")
        static let maxQueueSize = Option<Int>(
            "MSRP", "max_queue_size", default: 16 << 20, "16 MiB", read: Values.size((64 << 10)...(1 << 32)),
            "Bytes that may wait for one slow participant before it is dropped; at least max_message_size.")
        static let offer = Option<OfferChoice>(
            "MSRP", "offer", default: .tcp, "tcp", read: Values.choice(OfferChoice.self),
            "What people who are called by INVITE are offered first: tcp or tls. A client that refuses it (488) is",
            "offered the other.")
    }

    enum Conference {
        /// Options whose change waits for a restart: they are in what the rooms were made with.
        static let readAtStart: Set<String> = [
            "state_directory", "max_rooms", "maximum_participants", "plain_text", "welcome", "pending_messages", "demo",
        ]

        static let adhocRooms = Option<Bool>(
            "Conference", "adhoc_rooms", default: true, "Yes", read: Values.boolean,
            "Whether a call to a room that doesn't exist makes it. No: only the [Room ...] sections exist.")
        static let adhocGrace = Option<Duration>(
            "Conference", "adhoc_grace", default: .seconds(0), "0 s",
            read: Values.duration(.seconds(0) ... .seconds(86_400)),
            "How long a room that was made by a call stays when nobody is in it.")
        static let factory = Option<String?>(
            "Conference", "factory", default: "conference", "conference", read: Values.userName,
            "A call to this user of any domain gets a fresh room (RFC 4579 section 5.4). none: there is no such name.")
        static let notifyInterval = Option<Duration>(
            "Conference", "notify_interval", default: .seconds(5), "5 s",
            read: Values.duration(.milliseconds(10) ... .seconds(3600)),
            "The least time between two notifications of a room's roster: the first change is told at once, what follows",
            "is gathered (RFC 4575 section 3.9).")
        static let fullState = Option<Bool>(
            "Conference", "full_state", default: false, "No", read: Values.boolean,
            "Whether every notification has the whole roster, for clients that can't read partial ones.")
        static let publishPersists = Option<Bool>(
            "Conference", "publish_persists", default: true, "Yes", read: Values.boolean,
            "Whether a title or subject that was published stays when the publication expires.")
        static let maxListEntries = Option<Int>(
            "Conference", "max_list_entries", default: 200, "200", read: Values.count(1...10_000),
            "Most people in a list of people to call.")
        static let maxDialOuts = Option<Int>(
            "Conference", "max_dial_outs", default: 50, "50", read: Values.count(1...10_000),
            "Most calls to people under way for one room; others wait.")
        static let maxDialOutsPerAccount = Option<Int>(
            "Conference", "max_dial_outs_per_account", default: 50, "50", read: Values.count(1...10_000),
            "Most calls to people under way at one person's word; others wait.")
        static let dialOutRate = Option<Int>(
            "Conference", "dial_outs_per_minute", default: 6, "6", read: Values.count(1...6000),
            "Calls to one address a minute in the long run; five may come at once, more are refused.")
        static let dialOutTimeout = Option<Duration>(
            "Conference", "dial_out_timeout", default: .seconds(50), "50 s",
            read: Values.duration(.seconds(1) ... .seconds(55)),
            "How long somebody who is called has for an answer.")
        static let stateDirectory = Option<String?>(
            "Conference", "state_directory", default: nil,
            "(/var/lib/confd for root and whoever may write there, else ~/.local/state/confd)",
            example: "/var/lib/confd", read: Values.folder,
            "Folder for the database, the generated certificate and the spool; made when missing.")
        static let maxRooms = Option<Int>(
            "Conference", "max_rooms", default: 10_000, "10000", read: Values.count(1...1_000_000),
            "Most rooms at a time.")
        static let maximumParticipants = Option<Int>(
            "Conference", "maximum_participants", default: 1000, "1000", read: Values.count(2...100_000),
            "Most participants in a room; one more gets 486.")
        static let plainText = Option<Bool>(
            "Conference", "plain_text", default: true, "Yes", read: Values.boolean,
            "Whether clients without message/cpim may join with text/plain.")
        static let welcome = Option<String?>(
            "Conference", "welcome", default: nil, "(a short text, to clients without a=chatroom only)",
            example: "Welcome!", read: Values.optionalText,
            "Text that a newcomer gets in a room made on demand.")
        static let pendingMessages = Option<Int>(
            "Conference", "pending_messages", default: 100, "100", read: Values.count(0...10_000),
            "Messages that wait for a participant between the call and its MSRP connection.")
        static let demo = Option<Bool>(
            "Conference", "demo", default: false, "No", read: Values.boolean,
            "Whether confd prints what to call and what to type, after the ready line.")
    }

    enum Room {
        static let title = Option<String?>(
            "Room", "title", default: nil, "(none)", example: "The lobby", read: Values.optionalText,
            "The room's name as people see it.")
        static let subject = Option<String?>(
            "Room", "subject", default: nil, "(none)", example: "Today: everything", read: Values.optionalText,
            "What it is about, until somebody changes it.")
        static let locked = Option<Bool>(
            "Room", "locked", default: false, "No", read: Values.boolean,
            "Whether nobody new comes in but owners and moderators, until somebody changes it.")
        static let welcome = Option<String?>(
            "Room", "welcome", default: nil, "(that of [Conference])", example: "Welcome to the lobby!",
            read: Values.optionalText,
            "Text that every newcomer gets.")
        static let plainText = Option<Bool?>(
            "Room", "plain_text", default: nil, "(that of [Conference])", example: "Yes",
            read: { (text, context) throws(ValueError) in try Values.boolean(text, context) },
            "Whether clients without message/cpim may join with text/plain.")
        static let maximumParticipants = Option<Int?>(
            "Room", "maximum_participants", default: nil, "(that of [Conference])", example: "50",
            read: { (text, context) throws(ValueError) in try Values.count(2...100_000)(text, context) },
            "Most participants in this room.")
    }

    enum Log {
        static let level = Option<LogLevel>(
            "Log", "level", default: .info, "info", read: Values.choice(LogLevel.self),
            "trace, debug, info, notice, warning, error or critical.")
        static let sipLevel = Option<LogLevel>(
            "Log", "sip_level", default: .warning, "warning", read: Values.choice(LogLevel.self),
            "The same for the SIP library; debug and trace make it print messages.")
        static let target = Option<LogTarget?>(
            "Log", "target", default: nil, "(stderr; with --daemon syslog, with --systemd journal)", example: "stderr",
            read: { (text, context) throws(ValueError) in try Values.choice(LogTarget.self)(text, context) },
            "Where log lines go: stderr, syslog (/dev/log, facility daemon) or journal (systemd's own socket, with the",
            "parts of a line as fields).")
    }
}

extension Options {
    enum Outbound {
        static let proxy = Option<String?>(
            "Outbound", "proxy", default: nil, "(none)", example: "sip:proxy.example.com;transport=tls",
            read: Values.sipURI,
            "Where all calls of the conference's own go.")
        static let user = Option<String?>(
            "Outbound", "user", default: nil, "(none)", example: "conference@example.com", read: Values.optionalText,
            "The name for challenges of that proxy and of those who are called.")
        static let password = Option<String?>(
            "Outbound", "password", default: nil, "(none)", example: "secret", read: Values.optionalText,
            "Its password.")
        static let tlsVerify = Option<Bool>(
            "Outbound", "tls_verify", default: true, "Yes", read: Values.boolean,
            "Whether the certificate of a server that is called by TLS must be good for its name.")
    }
}

/// `[SIP] auth`
enum AuthChoice: String, CaseIterable, Sendable {
    case required
    case trustedOnly = "trusted-only"
    case none
}

/// `[MSRP] offer`
enum OfferChoice: String, CaseIterable, Sendable {
    case tcp, tls
}

/// `[MSRP] egress`
enum EgressChoice: String, CaseIterable, Sendable {
    case automatic
    case sameSource = "same-source"
    case `public`
    case any
}

/// `[Log] target`
enum LogTarget: String, CaseIterable, Sendable {
    case stderr, syslog, journal
}

/// `[Log] level`, the names of swift-log.
enum LogLevel: String, CaseIterable, Sendable {
    case trace, debug, info, notice, warning, error, critical
}
