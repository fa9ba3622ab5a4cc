import Foundation

/// Octets of a long body that can be made and checked at any place without keeping the whole: random, repeated with a
/// period that no chunk size divides.
package struct BodyPattern: Sendable {
    private static let period = 65_521
    /// The longest piece that `with` gives.
    package static let longestPiece = 1 << 20
    private let table: [UInt8]

    package init(seed: UInt64 = 1) {
        var generator = SeededGenerator(seed: seed)
        var bytes = [UInt8]()
        bytes.reserveCapacity(Self.period + 8)
        while bytes.count < Self.period {
            withUnsafeBytes(of: generator.next()) { bytes.append(contentsOf: $0) }
        }
        bytes.removeLast(bytes.count - Self.period)
        var table = bytes
        while table.count < Self.period + Self.longestPiece { table.append(contentsOf: bytes) }
        self.table = table
    }

    /// The octets from `offset` (0 is the body's first) on.
    package func with<Result>(offset: Int, count: Int, _ body: (UnsafeRawBufferPointer) throws -> Result) rethrows
        -> Result
    {
        let start = offset % Self.period
        return try table.withUnsafeBytes { try body(UnsafeRawBufferPointer(rebasing: $0[start..<start + count])) }
    }

    package func bytes(offset: Int, count: Int) -> [UInt8] {
        with(offset: offset, count: count) { Array($0) }
    }

    package func matches(_ bytes: UnsafeRawBufferPointer, offset: Int) -> Bool {
        var checked = 0
        while checked < bytes.count {
            let count = min(bytes.count - checked, Self.longestPiece)
            guard let base = bytes.baseAddress else { return true }
            let same = with(offset: offset + checked, count: count) {
                guard let expected = $0.baseAddress else { return false }
                return memcmp(base + checked, expected, count) == 0
            }
            guard same else { return false }
            checked += count
        }
        return true
    }

    /// What is wrong with `bytes`, which are to be the first `count` octets of the body from `offset` on; nil: nothing.
    package func difference(_ bytes: [UInt8], offset: Int = 0, count: Int) -> String? {
        let expected = self.bytes(offset: offset, count: count)
        if bytes == expected { return nil }
        let same = zip(bytes, expected).prefix { $0 == $1 }.count
        return "\(bytes.count) octets, not \(count); the first \(same) are right, then \(bytes[same...].prefix(16))"
    }
}
