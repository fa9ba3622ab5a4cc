import DigestAuth
import SIP

/// What access control remembers between requests: counts by source, nonces in use, requests that wait for an account.
struct AccessDesk {
    /// A request whose sender's account, or realm, is being looked up.
    struct Visit {
        let transaction: Transaction
        let request: Request
        let known: Caller?
        let proceed: (Caller) -> Void
        var step: Step
        /// When it is waited for no longer.
        var deadline: UInt64 = 0
    }

    enum Step {
        case account(DigestClaim, Doorkeeper.Account)
        case aliases(Doorkeeper.Account)
        case algorithms(realm: String, isStale: Bool)
    }

    /// What the store said.
    enum Answer: Sendable {
        case account(AccountLookup)
        case aliases([String])
        case algorithms([DigestAlgorithm])
    }

    var doorkeeper: Doorkeeper
    var counters = AccessCounters()
    var offered = OfferedAlgorithms()
    var gauge = LagGauge()
    private(set) var visits: [UInt64: Visit] = [:]
    private(set) var configuration: AccessConfiguration
    private var requests: SourceThrottle
    private var failures: SourceThrottle
    private var lastVisit: UInt64 = 0
    private let start: ContinuousClock.Instant
    private var lastComplaint: UInt64?
    /// A timer runs that looks for visits which have waited too long.
    private var isWatched = false
    /// The same for all: it is to be returned and means nothing here.
    let opaque: String

    init(_ configuration: AccessConfiguration, now: ContinuousClock.Instant) {
        self.configuration = configuration
        start = now
        doorkeeper = Doorkeeper(
            nonces: NonceLedger(
                lifetime: configuration.nonceLifetime.clampedNanoseconds, limit: configuration.limits.nonces))
        requests = SourceThrottle(configuration.requestRate, limit: configuration.limits.sources)
        failures = SourceThrottle(configuration.failureRate, limit: configuration.limits.sources)
        var source = NonceSource.system
        opaque = source.text()
    }

    /// What is counted is kept unless the rates themselves changed.
    mutating func configure(_ new: AccessConfiguration) {
        let old = configuration
        configuration = new
        offered.forget()
        doorkeeper.configure(nonceLifetime: new.nonceLifetime.clampedNanoseconds, nonceLimit: new.limits.nonces)
        if new.requestRate != old.requestRate || new.limits.sources != old.limits.sources {
            requests = SourceThrottle(new.requestRate, limit: new.limits.sources)
        }
        if new.failureRate != old.failureRate || new.limits.sources != old.limits.sources {
            failures = SourceThrottle(new.failureRate, limit: new.limits.sources)
        }
    }

    /// Nanoseconds since this desk was made.
    func time(_ now: ContinuousClock.Instant) -> UInt64 { (now - start).clampedNanoseconds }

    // MARK: Too much

    /// Why a request is not looked at.
    enum TurnedAway: Equatable {
        /// Too many from its source.
        case throttled(seconds: Int)
        case overloaded
    }

    /// - Parameter isNew: outside of all dialogs; what belongs to somebody who is in is served as long as it can be.
    mutating func judgeAmount(_ request: Request, isNew: Bool, at now: UInt64) -> TurnedAway? {
        if let key = countedKey(of: request), let wait = requests.take(key, at: now) {
            counters.throttled &+= 1
            return .throttled(seconds: Self.seconds(wait))
        }
        if isNew, isOverloaded {
            counters.overloaded &+= 1
            return .overloaded
        }
        return nil
    }

    /// Seconds until a source may send again; nil: it may now. Only those that are counted at all are known here.
    mutating func wait(_ source: Endpoint, at now: UInt64) -> Int? {
        guard requests.count > 0, let address = Address(source.host),
            let wait = requests.wait(SourceThrottle.Key(address), at: now)
        else { return nil }
        counters.throttled &+= 1
        return Self.seconds(wait)
    }

    private var isOverloaded: Bool {
        visits.count >= configuration.limits.pendingLookUps
            || gauge.isLate(by: configuration.limits.lag.clampedNanoseconds)
    }

    /// Seconds until credentials from there are looked at again; nil: they are now.
    func failureWait(_ request: Request, at now: UInt64) -> Int? {
        countedKey(of: request).flatMap { failures.wait($0, at: now) }.map(Self.seconds)
    }

    mutating func countFailure(_ request: Request, at now: UInt64) {
        counters.failures &+= 1
        if let key = countedKey(of: request) { _ = failures.take(key, at: now) }
    }

    /// Nil for those who are not counted.
    private func countedKey(of request: Request) -> SourceThrottle.Key? {
        guard let address = Address(request.source.host) else { return SourceThrottle.Key(Address(octets: [])) }
        if configuration.throttlesAll { return SourceThrottle.Key(address) }
        if address.isLoopback { return nil }
        let trusted = configuration.trusted
        return trusted.contains(address) || trusted.contains(names: request.peerNames)
            ? nil : SourceThrottle.Key(address)
    }

    /// Whether one more line about throttling is due: once a minute, since anybody can cause them.
    mutating func complains(at now: UInt64) -> Bool {
        if let last = lastComplaint, now < last &+ 60_000_000_000 { return false }
        lastComplaint = now
        return true
    }

    private static func seconds(_ nanoseconds: UInt64) -> Int { Int(nanoseconds / 1_000_000_000) + 1 }

    // MARK: Waiting for accounts

    /// - Returns: the visit's number, and whether a timer is to be set for it; nil: too many are waiting.
    mutating func add(_ visit: Visit, at now: UInt64) -> (number: UInt64, needsTimer: Bool)? {
        guard visits.count < configuration.limits.pendingLookUps else { return nil }
        lastVisit &+= 1
        var visit = visit
        visit.deadline = now &+ configuration.limits.patience.clampedNanoseconds
        visits[lastVisit] = visit
        counters.pending = visits.count
        defer { isWatched = true }
        return (lastVisit, !isWatched)
    }

    mutating func remove(_ number: UInt64) -> Visit? {
        defer { counters.pending = visits.count }
        return visits.removeValue(forKey: number)
    }

    /// Those that have waited too long, and when the next one has; nil: no timer is needed any more.
    mutating func expire(at now: UInt64) -> (due: [Visit], next: UInt64?) {
        let due = visits.filter { $0.value.deadline <= now }.sorted { $0.key < $1.key }
        for (number, _) in due { visits[number] = nil }
        counters.pending = visits.count
        let next = visits.values.map(\.deadline).min()
        isWatched = next != nil
        return (due.map(\.value), next)
    }
}

extension SIPEvent {
    /// A request that wants an answer of ours, and whether it came outside of all dialogs. Answers to what we asked
    /// are no questions.
    var question: (Transaction, Request, isNew: Bool)? {
        switch self {
        case .invite(_, let transaction, let request), .request(let transaction, let request):
            (transaction, request, true)
        case .reinvite(_, let transaction, let request), .update(_, let transaction, let request),
            .inDialogRequest(_, let transaction, let request), .dialogRequest(_, let transaction, let request):
            (transaction, request, false)
        case .acknowledged, .cancelled, .bye, .notify, .response, .answer, .ended: nil
        }
    }
}

extension Duration {
    /// At least 0, at most what a number of nanoseconds can hold.
    fileprivate var clampedNanoseconds: UInt64 {
        let (seconds, attoseconds) = components
        guard seconds >= 0, attoseconds >= 0 else { return 0 }
        let (product, overflow) = UInt64(seconds).multipliedReportingOverflow(by: 1_000_000_000)
        let (sum, carry) = product.addingReportingOverflow(UInt64(attoseconds / 1_000_000_000))
        return overflow || carry ? .max : sum
    }
}
