/// Session timers of one call (RFC 4028), as a machine without a clock: it says when to look again.
///
/// Sofia's own are not used: it refreshes with an INVITE that carries no offer, or with an UPDATE whether or not the
/// peer knows UPDATE.
struct SessionTimer: Equatable {
    enum Refresher: Equatable { case us, peer }

    /// What to do next, and in how many seconds.
    enum Deadline: Equatable {
        /// Refresh the session.
        case refresh(seconds: Int)
        /// End the call: the peer has not refreshed it.
        case expire(seconds: Int)
    }

    var interval: Int
    var refresher: Refresher

    /// What a 2xx to a request carries, and the timer that runs then; nil when session timers are off.
    ///
    /// The peer is asked to refresh where it can (RFC 4028 section 9, table 2); a peer without "timer" is refreshed by
    /// us, which tells whether it is still there.
    static func answer(
        to headers: HeaderFields, preferences: SIPConfiguration.SessionTimer
    ) -> (timer: SessionTimer, headers: [HeaderField])? {
        guard preferences.interval > 0 else { return nil }
        let peerKnows = headers.contains("Supported", token: "timer") || headers.contains("Require", token: "timer")
        var interval = max(preferences.interval, preferences.minimum)
        var asked: Refresher?
        if let requested = SessionExpires(headers["Session-Expires"]) {
            // The UAS may lower the interval, but not below the peer's Min-SE; it must not raise it.
            interval = min(interval, requested.interval)
            asked = requested.refresher.map { $0 == .uac ? .peer : .us }
        }
        let minimum = headers["Min-SE"].flatMap { SessionExpires($0)?.interval } ?? 0
        interval = max(interval, minimum, preferences.minimum)
        let refresher = peerKnows ? asked ?? .peer : .us
        let timer = SessionTimer(interval: interval, refresher: refresher)
        var fields = [HeaderField("Session-Expires", "\(interval);refresher=\(refresher == .peer ? "uac" : "uas")")]
        // Without "timer" in the request neither header would mean anything to the peer.
        guard peerKnows else { return (timer, []) }
        if refresher == .peer { fields.append(HeaderField("Require", "timer")) }
        return (timer, fields)
    }

    /// The headers of a request of ours.
    func requestHeaders(preferences: SIPConfiguration.SessionTimer) -> [HeaderField] {
        [
            HeaderField("Session-Expires", "\(interval);refresher=\(refresher == .us ? "uac" : "uas")"),
            HeaderField("Min-SE", "\(preferences.minimum)"),
        ]
    }

    /// The timer after a 2xx to a refresh or an INVITE of ours; nil when the peer wants none.
    static func agreed(in response: HeaderFields, offered: SessionTimer?) -> SessionTimer? {
        guard let answered = SessionExpires(response["Session-Expires"]) else {
            // A peer without session timers: we go on refreshing (RFC 4028 section 7.2).
            return offered.map { SessionTimer(interval: $0.interval, refresher: .us) }
        }
        return SessionTimer(interval: answered.interval, refresher: answered.refresher == .uas ? .peer : .us)
    }

    /// Counted from the last refresh (RFC 4028 section 10): half the interval for us; for the peer the interval less
    /// the smaller of 32 s and a third of it.
    var deadline: Deadline {
        switch refresher {
        case .us: .refresh(seconds: max(interval / 2, 1))
        case .peer: .expire(seconds: max(interval - min(32, interval / 3), 1))
        }
    }
}

/// The value of Session-Expires or Min-SE.
struct SessionExpires: Equatable {
    enum Refresher: Equatable { case uac, uas }

    /// Seconds.
    let interval: Int
    let refresher: Refresher?

    init?(_ value: String?) {
        guard let value else { return nil }
        let parts = Quoting.split(Substring(value), at: ";")
        guard let first = parts.first?.trimmingBlanks(), first.utf8.count <= 10, first.utf8.allSatisfy(\.isDigit),
            let seconds = Int(first), seconds <= Int(UInt32.max)
        else { return nil }
        interval = seconds
        switch Parameters.value(of: "refresher", in: Parameters.parse(Substring(value)))?.lowercased() {
        case "uac": refresher = .uac
        case "uas": refresher = .uas
        default: refresher = nil
        }
    }
}
