import MSRP
import NIOCore
import Testing

@testable import MediaMixer

@Suite("Messages that are known again")
struct AcceptedMessagesTests {
    private static let start = NIODeadline.uptimeNanoseconds(0)
    private static let tenMinutes = TimeAmount.minutes(10)

    private func accepted(_ hashes: Range<Int>, most: Int = 100, each: TimeAmount = .seconds(1)) -> AcceptedMessages {
        var messages = AcceptedMessages()
        var now = Self.start
        for hash in hashes {
            messages.accept(hash, now: now, most: most, time: Self.tenMinutes)
            now = now + each
        }
        return messages
    }

    @Test("a session's messages, the newest of them, in order")
    func bound() {
        var all = accepted(0..<50)
        #expect(all.takeAll().map(\.hash) == Array(0..<50))
        #expect(all.count == 0)
        var some = accepted(0..<50, most: 20)
        #expect(some.count == 20)
        #expect(some.takeAll().map(\.hash) == Array(30..<50))
    }

    @Test("who says little is remembered in little: what has become too old makes room")
    func oldMakesRoom() {
        var messages = accepted(0..<1000, most: 1000, each: .minutes(1))
        #expect(messages.count == AcceptedMessages.fewest)
        messages = accepted(0..<1000, most: 1000, each: .seconds(6))
        #expect(messages.count <= 101)
        #expect(messages.takeAll().map(\.hash).suffix(100) == Array(900..<1000)[...])
    }

    @Test("repeats are known for ten minutes, whoever's session brought the message")
    func expiry() {
        var earlier = EarlierMessages()
        var first = accepted(0..<3, each: .minutes(1))
        let end = Self.start + .minutes(3)
        earlier.add(first.takeAll(), now: end, most: 100, time: Self.tenMinutes)
        #expect(earlier.contains(0, now: end))
        #expect(earlier.contains(0, now: Self.start + .minutes(10) - .seconds(1)))
        #expect(!earlier.contains(0, now: Self.start + .minutes(10)))
        #expect(earlier.contains(1, now: Self.start + .minutes(10)))
        #expect(!earlier.contains(3, now: end))
        earlier.expire(now: Self.start + .minutes(11))
        #expect(earlier.count == 1)
        earlier.expire(now: Self.start + .minutes(12))
        #expect(earlier.count == 0)
        earlier.add([.init(hash: 9, at: Self.start)], now: Self.start + .minutes(10), most: 100, time: Self.tenMinutes)
        #expect(earlier.count == 0)
    }

    @Test("no more than so many in all; the oldest are forgotten")
    func boundInAll() {
        var earlier = EarlierMessages()
        for round in 0..<10 {
            var messages = accepted((round * 10)..<(round * 10 + 10), each: .zero)
            earlier.add(messages.takeAll(), now: Self.start, most: 25, time: Self.tenMinutes)
        }
        #expect(earlier.count == 25)
        #expect(!earlier.contains(74, now: Self.start))
        #expect(earlier.contains(75, now: Self.start))
    }

    @Test("participants with the same Message-ID are told apart")
    func participants() {
        let id = MessageID(7)
        let hashes = ["sip:alice@example.com", "sip:bob@example.com"].map {
            AcceptedMessages.hash(ParticipantURI($0).hashValue, id)
        }
        #expect(hashes[0] != hashes[1])
        #expect(hashes[0] == AcceptedMessages.hash(ParticipantURI("sips:alice@EXAMPLE.com").hashValue, MessageID(7)))
    }
}
