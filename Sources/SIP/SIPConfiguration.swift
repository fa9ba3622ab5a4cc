/// What a stack is started with.
package struct SIPConfiguration: Sendable {
    /// Where to listen, in any mix of transports and address families; port 0 takes any free port.
    package var listeners: [Endpoint]
    /// The certificate TLS listeners present; needed when there is one.
    package var identity: TLSIdentity?
    /// PEM text of the certificates that vouch for peers: for who connects to a listener for trusted peers (needed when
    /// there is one), and for who we connect to over TLS. Nil: the system's for the latter.
    package var trust: String?
    /// Whether the chain and the name in the certificate of a peer that we connect to over TLS are verified.
    package var verifiesPeers = true
    /// The product shown in User-Agent and Server.
    package var product = "confd"
    /// Allow, in every response that carries one (RFC 3261 section 20.5).
    package var allow = [
        "INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "OPTIONS", "REFER", "SUBSCRIBE", "NOTIFY", "PUBLISH", "INFO",
    ]
    /// Option tags we understand: shown in Supported; a Require of anything else is answered 420.
    package var supported = ["timer", "replaces", "join", "norefersub", "multiple-refer", "recipient-list-invite"]
    /// Event packages (RFC 6665 section 8.2.2).
    package var allowEvents = ["conference"]
    /// Accept for INVITE.
    package var accept = ["application/sdp"]
    package var sessionTimer = SessionTimer()
    /// Largest message over a stream and largest datagram, in octets; what is larger is refused.
    package var maximumMessageSize = 64 * 1024
    /// How many requests may wait for the handler's answer at a time; more are answered 503.
    package var maximumPendingTransactions = 20_000
    /// How many calls may exist at a time; more INVITEs are answered 503.
    package var maximumCalls = 50_000
    /// How many dialogs of SUBSCRIBE and REFER may exist at a time; more are answered 503.
    package var maximumDialogs = 50_000
    /// How many REFERs of ours wait for their NOTIFYs at a time; the oldest are forgotten.
    package var maximumReferrals = 4096

    /// How many stream connections may be open at a time; more are closed at once.
    package var maximumConnections = 10_000
    /// How long a connection may be silent before its first request, and how long a message may take to arrive.
    package var silentConnectionLife = Duration.seconds(30)
    /// How long a connection may be idle; well above the session timer's interval.
    package var idleConnectionLife = Duration.seconds(7200)
    /// Timer T1 in milliseconds: the estimate of the round trip that retransmissions start from (RFC 3261 section
    /// 17.1.1.1).
    package var retransmissionInterval = 500
    /// 64*T1 in milliseconds: how long a request waits for its answer, and a 2xx for its ACK. Tests make it short.
    package var transactionTimeout = 32_000

    package init(listeners: [Endpoint], identity: TLSIdentity? = nil) {
        self.listeners = listeners
        self.identity = identity
    }

    /// Session timers (RFC 4028), in seconds.
    package struct SessionTimer: Sendable, Equatable {
        /// The Session-Expires asked for; 0 turns session timers off.
        package var interval = 1800
        /// Min-SE; the RFC allows none below 90 (section 5).
        package var minimum = 90

        package init(interval: Int = 1800, minimum: Int = 90) {
            self.interval = interval
            self.minimum = minimum
        }
    }

    /// A certificate (with its chain, the own one first) and its key, as PEM text.
    package struct TLSIdentity: Sendable {
        package var certificateChain: String
        package var privateKey: String

        package init(certificateChain: String, privateKey: String) {
            self.certificateChain = certificateChain
            self.privateKey = privateKey
        }
    }
}

/// Why a stack could not be started.
package enum SIPStartError: Error, Equatable, CustomStringConvertible {
    /// A listener could not be opened; `reason` is the system's text, such as "Address already in use".
    case listener(Endpoint, reason: String)
    /// TLS listeners need a certificate, or the one given could not be used.
    case certificate(String)
    /// The library itself failed.
    case library(String)

    package var description: String {
        switch self {
        case .listener(let endpoint, let reason): "cannot listen on \(endpoint): \(reason)"
        case .certificate(let reason): "cannot use the SIP certificate: \(reason)"
        case .library(let reason): "cannot start SIP: \(reason)"
        }
    }
}
