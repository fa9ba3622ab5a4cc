import DigestAuth
import MSRP

/// What becomes of an AUTH.
enum AuthDecision: Equatable {
    case refuse(AuthRefusal)
    case challenge(AuthChallenge)
    case grant(AuthGrant)
}

/// An answer that opens nothing.
struct AuthRefusal: Equatable {
    var status: Status
    var reason: AuthFailure
    /// With 423: the bound that was passed, in seconds (RFC 4976 section 4.6).
    var minimumExpires: Int?
    var maximumExpires: Int?
    /// Whether it counts as an attempt to guess.
    var isFailure: Bool
    /// The connection is closed afterwards.
    var closes: Bool
}

/// 401 with challenges.
struct AuthChallenge: Equatable {
    var realm: String
    var nonce: String
    var isStale: Bool
    /// Nil: nothing was claimed yet.
    var reason: AuthFailure?
    var isFailure: Bool
    var closes: Bool
}

/// 200, when the relay has a session to give.
struct AuthGrant: Equatable {
    var account: RelayAccount
    /// Seconds the client asked for; nil: it did not.
    var requestedExpires: Int?
    /// Seconds for the answer.
    var expires: Int
    /// The value of Authentication-Info.
    var authenticationInfo: String
}

/// Why an AUTH was not granted, for the log.
enum AuthFailure: String, Equatable, Sendable {
    case notProtected = "AUTH without TLS"
    case malformed = "malformed request"
    case otherScheme = "not digest"
    case incomplete = "incomplete or contradictory credentials"
    case otherAlgorithm = "an algorithm that is not offered"
    case otherRealm = "another realm"
    case otherURI = "credentials for another URI"
    case noSuchSession = "no such session"
    case connectionTaken = "the connection has a session already"
    case forgedPath = "From-Path of several hops, and not from a relay peer"
    case unknownUser = "unknown user"
    case wrongPassword = "wrong password"
    case otherAccount = "the session is another account's"
    case staleNonce = "nonce too old"
    case replayedNonce = "nonce count used before"
    case badExpires = "unreadable Expires"
    case expiresOutOfBounds = "Expires out of bounds"
    case storeUnavailable = "accounts cannot be looked up"
    case throttled = "too many failures from this address"
    case tableFull = "no room for another session"

    /// Counts for the address, too, on whatever connections it comes.
    var isGuess: Bool {
        switch self {
        case .wrongPassword, .unknownUser, .otherAccount, .otherScheme, .replayedNonce: true
        default: false
        }
    }
}
