import Foundation

/// A point in monotonic time that a wait may not pass.
package struct Deadline: Sendable {
    private let nanoseconds: UInt64

    private static var now: UInt64 { DispatchTime.now().uptimeNanoseconds }

    package static func after(seconds: Double) -> Deadline {
        Deadline(nanoseconds: now + UInt64(seconds * 1e9))
    }

    private init(nanoseconds: UInt64) {
        self.nanoseconds = nanoseconds
    }

    package var passed: Bool { Self.now >= nanoseconds }

    /// What poll(2) takes: at least 1 while time is left, 0 afterwards.
    package var remainingMilliseconds: Int32 {
        let now = Self.now
        return now >= nanoseconds ? 0 : Int32(clamping: (nanoseconds - now + 999_999) / 1_000_000)
    }
}

/// What a helper was doing when it had to give up.
package struct SupportError: Error, CustomStringConvertible {
    package let description: String

    package init(_ description: String) {
        self.description = description
    }
}

/// Runs each body on a thread of its own and waits for all; the first error is thrown.
package func concurrently<Result: Sendable>(_ bodies: [@Sendable () throws -> Result]) throws -> [Result] {
    let results = Results<Result>(count: bodies.count)
    let group = DispatchGroup()
    for (index, body) in bodies.enumerated() {
        group.enter()
        let thread = Thread {
            results.set(Swift.Result { try body() }, at: index)
            group.leave()
        }
        thread.stackSize = 1 << 20
        thread.start()
    }
    group.wait()
    return try results.all().map { try $0.get() }
}

/// Each slot is written once, by its own thread, under the lock.
private final class Results<Value: Sendable>: @unchecked Sendable {
    private let lock = NSLock()
    private var values: [Swift.Result<Value, any Error>?]

    init(count: Int) {
        values = Array(repeating: nil, count: count)
    }

    func set(_ value: Swift.Result<Value, any Error>, at index: Int) {
        lock.withLock { values[index] = value }
    }

    func all() -> [Swift.Result<Value, any Error>] {
        lock.withLock { values.map { $0 ?? .failure(SupportError("a thread left no result")) } }
    }
}
