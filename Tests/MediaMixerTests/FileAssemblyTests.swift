import MSRP
import NIOCore
import Support
import Testing

@testable import MediaMixer

@Suite("Putting a file together")
struct FileAssemblyTests {
    @Test("stretches are what a set of octets says")
    func coverage() {
        var generator = SystemRandomNumberGenerator()
        for _ in 0..<200 {
            var coverage = Coverage()
            var octets = Set<Int>()
            for _ in 0..<20 {
                let start = Int.random(in: 0..<60, using: &generator)
                let range = start..<start + Int.random(in: 0..<12, using: &generator)
                let isTaken = coverage.insert(range, most: 100)
                #expect(isTaken)
                octets.formUnion(range)
            }
            #expect(Set(coverage.stretches.flatMap { $0 }) == octets)
            #expect(
                zip(coverage.stretches, coverage.stretches.dropFirst()).allSatisfy { $0.upperBound < $1.lowerBound })
            #expect(coverage.prefix == (0...100).first { !octets.contains($0) })
            #expect(coverage.end == (octets.max() ?? -1) + 1)
        }
    }

    @Test("gaps are limited, and what would be one too many changes nothing")
    func gaps() {
        var coverage = Coverage()
        let taken = [10..<11, 20..<21, 30..<31].map { coverage.insert($0, most: 1) }
        #expect(taken == [true, true, false] && coverage.stretches == [10..<11, 20..<21])
        let isFilled = coverage.insert(11..<20, most: 1)
        #expect(isFilled && coverage.stretches == [10..<21])
    }

    @Test(
        "the end of a wrapper's head is found wherever it is cut",
        arguments: [
            "From: <a:b>\r\n\r\nContent-Type: x/y\r\n\r\n", "From: <a:b>\n\nContent-Type: x/y\nA: b\n\n", "\r\n\r\n",
            "From: <a:b>\r\n\r\n\r\n", "From: <a:b>\r\nCONTENT-TYPE: x/y\r\n\r\n",
            "Subject: content-type: no\r\n\r\ncontent-type: x/y\r\n\r\n",
        ])
    func wrapper(text: String) {
        for cut in 0...text.utf8.count {
            var head = WrapperHead()
            var first = ByteBuffer(bytes: text.utf8.prefix(cut))
            var second = ByteBuffer(bytes: text.utf8.dropFirst(cut) + Array("\r\n\r\nbody".utf8))
            let isOver = head.take(&first)
            #expect(isOver == (cut == text.utf8.count))
            let isOverNow = isOver || head.take(&second)
            #expect(isOverNow)
            #expect(head.count == text.utf8.count)
            #expect(second.readableBytes == 8)
        }
    }

    @Test("a wrapper's head that doesn't end is given up")
    func endless() throws {
        var assembly = FileAssembly(announced: nil, unwraps: true, mostGaps: 4)
        let id = try #require(MessageID("m"))
        _ = try assembly.begin(id, range: .whole, contentType: "message/cpim")
        #expect(throws: FileAssembly.Refusal(status: .stopSending, failure: .abandoned)) {
            for _ in 0..<3 { _ = try assembly.take(ByteBuffer(repeating: 0x61, count: 10_000)) }
        }
    }

    @Test(
        "sizes are told as people read them",
        arguments: [
            (0, "0 bytes"), (1, "1 byte"), (999, "999 bytes"), (1000, "1.0 kB"), (12_345, "12.3 kB"),
            (12_350, "12.4 kB"),
            (999_949, "999.9 kB"), (999_950, "1.0 MB"), (100 << 20, "104.9 MB"), (5_000_000_000, "5.0 GB"),
            (Int.max, "9223.4 PB"),
        ])
    func sizes(size: Int, text: String) { #expect(FileSize.text(size) == text) }
}
