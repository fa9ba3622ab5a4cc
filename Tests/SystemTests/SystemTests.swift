import Foundation
import Support
import Testing

/// How long a soak takes; CONFD_SOAK=3600 makes it an hour.
let soakSeconds = ProcessInfo.processInfo.environment["CONFD_SOAK"].flatMap(Double.init) ?? 120

/// Tests of the real process by independent clients. One after another: each starts processes of its own and there
/// may be no more than two cores.
@Suite(.serialized, .ownThread, .timeLimit(.minutes(soakSeconds > 900 ? 120 : 30)))
struct SystemTests {
    /// CONFD_LONG=1 runs what the specification asks for in full; otherwise a small part of it.
    static let long = ProcessInfo.processInfo.environment["CONFD_LONG"] != nil
}

/// One way to come in: SIP transport, and MSRP with TLS or without.
struct Way: Sendable, CustomStringConvertible {
    let sip: SIPTransportName
    let tls: Bool

    static let all = SIPTransportName.allCases.flatMap { sip in [false, true].map { Way(sip: sip, tls: $0) } }

    var description: String { "SIP \(sip.rawValue), MSRP \(tls ? "TLS" : "plain")" }
}

/// Runs each test on a thread of its own: these tests block, and the threads of the pool belong to all tests.
struct OwnThread: SuiteTrait, TestTrait, TestScoping {
    var isRecursive: Bool { true }

    func provideScope(
        for test: Test, testCase: Test.Case?, performing function: @Sendable () async throws -> Void
    ) async throws {
        guard testCase != nil else { return try await function() }
        let executor = ThreadExecutor()
        defer { executor.stop() }
        try await withTaskExecutorPreference(executor) { try await function() }
    }
}

extension Trait where Self == OwnThread {
    static var ownThread: Self { OwnThread() }
}

private final class ThreadExecutor: TaskExecutor, @unchecked Sendable {
    // Unchecked: the condition's lock guards both properties.
    private let condition = NSCondition()
    private var jobs = [UnownedJob]()
    private var stopped = false

    init() {
        Thread { self.run() }.start()
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        condition.withLock {
            jobs.append(job)
            condition.signal()
        }
    }

    func stop() {
        condition.withLock {
            stopped = true
            condition.signal()
        }
    }

    private func nextJob() -> UnownedJob? {
        condition.withLock {
            while jobs.isEmpty, !stopped { condition.wait() }
            return jobs.isEmpty ? nil : jobs.removeFirst()
        }
    }

    private func run() {
        while let job = nextJob() { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }
}
