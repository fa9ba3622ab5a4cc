import Testing

@testable import MSRP

@Suite struct HyphenTests {
    @Test("the first run of seven hyphens is found wherever it lies, and shorter ones are passed over")
    func runs() {
        // Everywhere in four blocks, the shorter run before it being in reach of the same block or not.
        for size in [0, 6, 7, 8, 63, 64, 65, 200, 256] {
            for length in [6, 7, 9] where length <= size {
                for start in 0...(size - length) {
                    var octets = [UInt8](repeating: UInt8(ascii: "x"), count: size)
                    for index in start..<start + length { octets[index] = UInt8(ascii: "-") }
                    check(octets)
                    for index in max(0, start - 40)..<max(0, start - 34) { octets[index] = UInt8(ascii: "-") }
                    check(octets)
                }
            }
        }
    }

    @Test("hyphens at random are found as by looking at every octet")
    func randomHyphens() {
        var random = SplitMix(state: 7)
        for round in 0..<2000 {
            // From hardly any hyphen to hardly anything else.
            let likelihood = round % 16
            let octets = (0..<Int(random.next() % 300)).map { _ in
                random.next() % 16 < likelihood ? UInt8(ascii: "-") : UInt8(truncatingIfNeeded: random.next())
            }
            check(octets)
        }
    }

    private struct SplitMix {
        var state: UInt64

        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var mixed = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
            mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
            return mixed ^ (mixed >> 31)
        }
    }

    private func check(_ octets: [UInt8], sourceLocation: SourceLocation = #_sourceLocation) {
        octets.withUnsafeBytes { bytes in
            for from in [0, 1, 5, 50] where from <= octets.count {
                let found = EndLineSearch.nextRun(in: bytes, from: from)
                #expect(found == Self.simplest(octets, from: from), sourceLocation: sourceLocation)
            }
        }
    }

    private static func simplest(_ octets: [UInt8], from: Int) -> Range<Int>? {
        var start = from
        while start < octets.count {
            var end = start
            while end < octets.count, octets[end] == UInt8(ascii: "-") { end += 1 }
            if end - start >= 7 { return start..<end }
            start = end + 1
        }
        return nil
    }
}
