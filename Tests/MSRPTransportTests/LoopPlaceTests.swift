import MSRPTransport
import Testing

@Suite("What belongs to which loop")
struct LoopPlaceTests {
    @Test("a session-id says which loop made it, however many there are")
    func sessions() {
        for count in 1...LoopPlace.most {
            for index in 0..<count {
                let place = LoopPlace(index: index, count: count)
                for _ in 0..<20 { #expect(place.owner(of: SessionID.random(at: place)) == index) }
            }
        }
    }

    @Test("of several loops' ids all 31 other digits, and most of the first two, are random still")
    func randomness() {
        let place = LoopPlace(index: 1, count: 3)
        let ids = (0..<2000).map { _ in SessionID.random(at: place).text }
        #expect(Set(ids).count == 2000)
        // 1, 4, ... 253: 85 octets, each with a chance of about 1 in 85.
        #expect(Set(ids.map { $0.prefix(2) }).count > 75)
        #expect(ids.allSatisfy { UInt8($0.prefix(2), radix: 16).map { $0 % 3 == 1 } ?? false })
    }

    @Test(
        "an id that none of ours can be is nobody's",
        arguments: [
            "", "x", "0123", String(repeating: "A", count: 32), String(repeating: "0", count: 33),
            String(repeating: "0", count: 31) + "g", String(repeating: "é", count: 16),
        ])
    func unknownForm(text: String) {
        #expect(LoopPlace(index: 0, count: 2).owner(of: SessionID(text: text)) == nil)
    }

    @Test("numbers say whose they are, and with one loop they count by one")
    func numbers() {
        #expect((1...3).map { LoopPlace.only.number($0) } == [1, 2, 3])
        var seen: Set<UInt64> = []
        for index in 0..<4 {
            let place = LoopPlace(index: index, count: 4)
            for serial in 1...UInt64(50) {
                let number = place.number(serial)
                #expect(LoopPlace.index(ofNumber: number, count: 4) == index)
                seen.insert(number)
            }
        }
        #expect(seen.count == 200)
        #expect(LoopPlace.index(ofNumber: .max, count: 1) == 0)
    }
}
