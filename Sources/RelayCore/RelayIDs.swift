import Glibc

/// Where the relay's transaction identifiers come from: 64 random bits each, asked of the system many at a time.
struct RelayIDs {
    /// As many as the system gives in one go.
    private static let atATime = 32

    private var pool: [UInt64] = []

    mutating func next() -> UInt64 {
        if let id = pool.popLast() { return id }
        pool = [UInt64](repeating: 0, count: Self.atATime)
        let failed = pool.withUnsafeMutableBytes { getentropy($0.baseAddress, $0.count) } != 0
        if failed { pool = [] }
        return pool.popLast() ?? UInt64.random(in: .min ... .max)
    }
}
