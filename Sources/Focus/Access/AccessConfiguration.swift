package import DigestAuth

/// `[SIP]`: who gets in, whom we believe, and how much one source may ask for.
package struct AccessConfiguration: Sendable {
    /// `auth`
    package enum Mode: String, Sendable, CaseIterable {
        /// Everybody but trusted peers proves who they are by digest (RFC 3261 section 22).
        case required
        /// Trusted peers only; all others get 403, nobody is challenged.
        case trustedOnly = "trusted-only"
        /// From is believed.
        case none
    }

    package var mode = Mode.none

    /// Whose passwords count.
    package var accounts: any AccountStore = MemoryAccounts([:])

    /// `trusted`: from these P-Asserted-Identity counts (RFC 3325), and they are not challenged.
    package var trusted = TrustedPeers()

    /// How long a nonce may be used; after that the client is asked again with stale=true (RFC 7616 section 3.3).
    package var nonceLifetime: Duration = .seconds(300)

    /// Requests that one source address (IPv6: one /64) may send; beyond it 503.
    package var requestRate = Rate(perSecond: 100, burst: 500)

    /// Wrong passwords, unknown users and false identities of one source; beyond it whatever brings credentials gets
    /// 503.
    package var failureRate = Rate(perSecond: 0.5, burst: 30)

    /// `throttle_all`: loopback and trusted peers are throttled too.
    package var throttlesAll = false

    package var limits = Limits()

    package init() {}

    /// So many a second in the long run, and `burst` at once.
    package struct Rate: Sendable, Equatable {
        package var perSecond: Double
        package var burst: Int

        package init(perSecond: Double, burst: Int) {
            self.perSecond = perSecond
            self.burst = burst
        }
    }

    package struct Limits: Sendable, Equatable {
        /// Requests that wait for an account to be looked up: 503.
        package var pendingLookUps = 1_000
        /// How long one waits for it: 503.
        package var patience: Duration = .seconds(10)
        /// Nonces in use whose counts are remembered; beyond it the oldest become stale.
        package var nonces = 100_000
        /// Source addresses that are counted; beyond it the one that has been quiet longest is forgotten.
        package var sources = 10_000
        /// How late the SIP thread may be before new requests get 503.
        package var lag: Duration = .seconds(1)
        /// Other URIs that one account may call itself by.
        package var aliases = 64

        package init() {}
    }
}

/// What access control did since the start.
package struct AccessCounters: Sendable, Equatable, Codable {
    /// Requests that were found to be somebody's.
    package var admitted: UInt64 = 0
    /// Those of them that a trusted peer vouched for.
    package var trusted: UInt64 = 0
    /// 401
    package var challenged: UInt64 = 0
    /// 401 with stale=true: the password was right, the nonce too old or its count used before.
    package var stale: UInt64 = 0
    /// Wrong passwords, unknown users.
    package var failures: UInt64 = 0
    /// 403: an identity that is not the account's, or nobody who vouches.
    package var refused: UInt64 = 0
    /// 503: too much from one source.
    package var throttled: UInt64 = 0
    /// 503: too much at all, or accounts can't be looked up.
    package var overloaded: UInt64 = 0
    /// Requests that wait for an account just now.
    package var pending = 0

    package init() {}
}
