/// A small generator of known quality (SplitMix64), seeded: a failing run can be repeated.
package struct SeededGenerator: RandomNumberGenerator, Sendable {
    private var state: UInt64

    package init(seed: UInt64) {
        state = seed
    }

    package mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var value = state
        value = (value ^ (value >> 30)) &* 0xBF58_476D_1CE4_E5B9
        value = (value ^ (value >> 27)) &* 0x94D0_49BB_1331_11EB
        return value ^ (value >> 31)
    }
}

/// Damages messages as fuzzers do: flipped, dropped, doubled and moved octets, and pieces that parsers dislike.
package struct Mutator: Sendable {
    private var generator: SeededGenerator
    private let tokens: [[UInt8]]

    package init(seed: UInt64, tokens: [String]) {
        generator = SeededGenerator(seed: seed)
        self.tokens = tokens.map { Array($0.utf8) }
    }

    package mutating func choose<Element>(_ elements: [Element]) -> Element {
        elements[Int.random(in: 0..<elements.count, using: &generator)]
    }

    package mutating func mutate(_ bytes: [UInt8]) -> [UInt8] {
        var bytes = bytes
        for _ in 0..<Int.random(in: 1...6, using: &generator) where !bytes.isEmpty {
            let at = Int.random(in: 0..<bytes.count, using: &generator)
            let length = min(Int.random(in: 1...24, using: &generator), bytes.count - at)
            switch Int.random(in: 0..<9, using: &generator) {
            case 0: bytes[at] = UInt8.random(in: 0...255, using: &generator)
            case 1: bytes[at] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
            case 2: bytes.removeSubrange(at..<at + length)
            case 3: bytes.insert(contentsOf: bytes[at..<at + length], at: at)
            case 4: bytes.insert(contentsOf: choose(tokens), at: at)
            case 5: bytes.replaceSubrange(at..<at + length, with: choose(tokens))
            case 6:
                let from = Int.random(in: 0...(bytes.count - length), using: &generator)
                bytes.replaceSubrange(at..<at + length, with: Array(bytes[from..<from + length]))
            case 7: bytes.removeSubrange(at...)
            default: moveLine(&bytes)
            }
        }
        return bytes
    }

    /// Drops, doubles or moves a whole line: the header fields' order and number change, each stays well formed.
    private mutating func moveLine(_ bytes: inout [UInt8]) {
        var lines = bytes.split(separator: 10, omittingEmptySubsequences: false)
        guard lines.count > 2 else { return }
        let line = lines.remove(at: Int.random(in: 0..<lines.count, using: &generator))
        for _ in 0..<Int.random(in: 0...2, using: &generator) {
            lines.insert(line, at: Int.random(in: 0...lines.count, using: &generator))
        }
        bytes = Array(lines.joined(separator: [10]))
    }
}
