import NIOCore
import Testing

@testable import MediaMixer

@Suite("The tail of a room")
struct RoomTailTests {
    struct Word: TailMessage {
        let id: UInt64
        var textID: UInt64?
    }

    static let alice = ParticipantURI("sip:alice@example.com")
    static let bob = ParticipantURI("sip:bob@example.com")
    static let carol = ParticipantURI("sip:carol@example.com")
    static let day: Int64 = 86_400_000
    static let limits = TailLimits(messages: 100, octets: 1000, recoveryTime: .seconds(60))

    static func entry(
        _ number: Int64, at seconds: Int64 = 0, time: Int64? = nil, octets: Int = 1, ends: PrivateEnds? = nil,
        isHistory: Bool = true, textID: UInt64? = nil
    ) -> RoomTail<Word>.Entry {
        .init(
            sequence: number, publicCount: number, at: .uptimeNanoseconds(0) + .seconds(seconds),
            time: time ?? seconds * 1000, octets: octets, sender: nil, ends: ends, isHistory: isHistory,
            message: Word(id: UInt64(1000 + number), textID: textID))
    }

    private func tail(_ numbers: ClosedRange<Int64>, limits: TailLimits = limits) -> RoomTail<Word> {
        var tail = RoomTail<Word>()
        for number in numbers { tail.append(Self.entry(number), limits: limits) }
        return tail
    }

    @Test("the number of messages and their octets are bounded; what is let go is noted")
    func bounds() {
        var few = tail(1...5, limits: TailLimits(messages: 3, octets: 1000, recoveryTime: .seconds(60)))
        #expect(few.count == 3)
        #expect(few.publicGone == 2)
        #expect(few.newestGone == .uptimeNanoseconds(0))
        #expect(few.first(from: 1)?.sequence == 3)
        #expect(few.entry(2) == nil)
        few.append(Self.entry(6, octets: 999), limits: Self.limits)
        #expect(few.count == 2)
        #expect(few.octets == 1000)
        few.append(Self.entry(7, octets: 1001), limits: Self.limits)
        #expect(few.count == 0)
        #expect(few.octets == 0)
    }

    @Test(
        "a newcomer is told the last so many, or those of so many days, or nothing",
        arguments: [
            (RoomConfiguration.History.none, [Int64]()), (.last(2), [4, 5]), (.last(20), [1, 2, 3, 4, 5]),
            (.last(0), []), (.days(2), [3, 4, 5]), (.days(1000), [1, 2, 3, 4, 5]), (.days(0), [5]),
        ])
    func replay(rule: RoomConfiguration.History, expected: [Int64]) {
        var tail = RoomTail<Word>()
        for number in 1...5 as ClosedRange<Int64> {
            tail.append(Self.entry(number, time: number * Self.day), limits: Self.limits)
        }
        #expect(tail.replay(rule, to: Self.alice, time: 5 * Self.day, before: 100) == expected)
        #expect(tail.replay(rule, to: Self.alice, time: 5 * Self.day, before: 5) == expected.filter { $0 < 5 })
    }

    @Test("what is private is replayed to its two ends; what is no history to nobody")
    func whose() {
        var tail = RoomTail<Word>()
        let ends = PrivateEnds(sender: Self.alice, recipient: Self.bob)
        tail.append(Self.entry(1, ends: ends), limits: Self.limits)
        tail.append(Self.entry(2, isHistory: false), limits: Self.limits)
        tail.append(Self.entry(3), limits: Self.limits)
        #expect(tail.replay(.last(9), to: Self.alice, time: 0, before: 9) == [1, 3])
        #expect(tail.replay(.last(9), to: Self.bob, time: 0, before: 9) == [1, 3])
        #expect(tail.replay(.last(9), to: Self.carol, time: 0, before: 9) == [3])
    }

    @Test("what nobody can miss any more goes with time, unless newcomers are told it")
    func expiry() {
        var tail = RoomTail<Word>()
        for number in 1...6 as ClosedRange<Int64> {
            tail.append(Self.entry(number, at: number, isHistory: number != 2), limits: Self.limits)
        }
        func left(_ seconds: Int64, _ rule: RoomConfiguration.History) -> [Int64] {
            tail.expire(
                now: .uptimeNanoseconds(0) + .seconds(seconds), time: seconds * 1000, rule: rule, limits: Self.limits)
            return tail.entries(from: 0).map(\.sequence)
        }
        #expect(left(60, .none) == [1, 2, 3, 4, 5, 6])
        #expect(left(61, .last(4)) == [2, 3, 4, 5, 6])
        #expect(left(62, .last(4)) == [3, 4, 5, 6])
        #expect(left(1000, .last(4)) == [3, 4, 5, 6])
        #expect(left(1000, .last(2)) == [5, 6])
        #expect(left(86_405, .days(1)) == [5, 6])
        #expect(left(86_406, .days(1)) == [6])
        #expect(left(86_406, .none) == [])
    }

    @Test("what the store has comes before, and only so much of it as fits")
    func prepending() {
        var tail = tail(1...2)
        tail.prepend((-2...0).map { Self.entry($0, octets: 400) }, limits: Self.limits)
        #expect(tail.entries(from: -9).map(\.sequence) == [-1, 0, 1, 2])
        #expect(tail.octets == 802)
        // Nobody who is here has missed it.
        tail.shrink(to: TailLimits(messages: 2, octets: 1000, recoveryTime: .seconds(60)))
        #expect(tail.publicGone == 0)
        #expect(tail.newestGone == nil)
    }

    @Test("the messages behind SENDs are found by either id, in order; others are named")
    func ids() {
        var tail = tail(1...4)
        tail.append(Self.entry(5, textID: 77), limits: Self.limits)
        let (found, unknown) = tail.sequences(ofIDs: [77, 1003, 9, 1001])
        #expect(found == [1, 3, 5])
        #expect(unknown == [9])
    }

    @Test("an operator's order takes out what is older, and counts nothing as lost")
    func purge() {
        var tail = RoomTail<Word>()
        for number in 1...4 as ClosedRange<Int64> {
            tail.append(Self.entry(number, time: number), limits: Self.limits)
        }
        tail.purge(before: 3)
        #expect(tail.entries(from: 0).map(\.sequence) == [3, 4])
        #expect(tail.octets == 2)
        #expect(tail.historyCount == 2)
        tail.purge(before: nil)
        #expect(tail.count == 0)
        #expect(tail.publicGone == 0)
    }
}
