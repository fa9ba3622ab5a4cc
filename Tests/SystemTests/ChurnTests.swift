import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("People come and go", .serialized)
    struct ChurnTests {
        /// Fifty people a second come in, are heard, and leave, while others talk: for a minute, or ten with CONFD_LONG.
        @Test("fifty joins and leaves a second in a room that talks: no growth, no loss")
        func churn() throws {
            let seconds: Double = SystemTests.long ? 600 : 60
            let rate = 50.0
            let threads = 8
            let confd = try ConfdProcess([
                "Log": ["level": "error"], "SIP": ["request_rate": "100000"],
                "Conference": ["history": "last 20", "system_messages": "all"],
            ])
            let room = "sip:churn@127.0.0.1"
            let talkers = try (0..<3).map { try Participant("talker\($0)", in: room, of: confd, tls: $0 == 1) }
            let began = Date()
            let end = began + seconds
            let samples = Samples()
            @Sendable func churn(_ thread: Int) throws -> Int {
                var count = 0
                while Date() < end {
                    // In step with the clock, so that a slow moment is made up for.
                    let due = began + Double(count * threads + thread) / rate
                    if due > Date() { Thread.sleep(until: min(due, end)) }
                    let guest = try Participant(
                        "guest\(thread)x\(count)", in: room, of: confd, over: count % 2 == 0 ? .udp : .tcp,
                        tls: count % 4 == 3)
                    guard try guest.say("guest \(thread) \(count)") == 200 else { throw SupportError("not heard") }
                    if count % 10 == 9 { guest.msrp.stream.reset() }
                    try guest.leave()
                    guest.sip.close()
                    count += 1
                    if thread == 0, count % 10 == 0 { samples.add(try confd.residentKiB()) }
                }
                return count
            }
            @Sendable func talk(_ index: Int) throws -> Int {
                var said = 0
                while Date() < end {
                    guard try talkers[index].say("talker \(index) \(said)") == 200 else {
                        throw SupportError("talker \(index) was refused")
                    }
                    said += 1
                    Thread.sleep(forTimeInterval: 0.02)
                }
                return said
            }
            let counts = try concurrently(
                (0..<threads).map { thread in { @Sendable () throws -> Int in try churn(thread) } }
                    + talkers.indices.map { index in { @Sendable () throws -> Int in try talk(index) } })
            // Whoever has heard these has heard all that was said before.
            for (index, talker) in talkers.enumerated() { #expect(try talker.say("talker \(index) end") == 200) }
            let guests = counts.prefix(threads)
            let joins = guests.reduce(0, +)
            #expect(Double(joins) >= seconds * rate * 0.9, "\(joins) joins in \(seconds) s")
            let all = Set(guests.enumerated().flatMap { thread, count in (0..<count).map { "guest \(thread) \($0)" } })
            for (index, talker) in talkers.enumerated() {
                var heard: [String] = []
                var ends = 0
                while ends < talkers.count - 1 {
                    let text = try talker.hears(within: 30)
                    if text.hasPrefix("talker"), text.hasSuffix(" end") { ends += 1 }
                    heard.append(text)
                }
                let said = heard.filter { $0.hasPrefix("guest ") }
                #expect(said.count == joins && Set(said) == all, "\(said.count) of \(joins)")
                for other in talkers.indices where other != index {
                    let count = counts[threads + other]
                    #expect(
                        heard.filter { $0.hasPrefix("talker \(other) ") }
                            == (0..<count).map { "talker \(other) \($0)" } + ["talker \(other) end"])
                }
            }
            // What the first third needed, the last one needs too.
            let sizes = samples.all
            let third = sizes.count / 3
            let early = sizes.prefix(2 * third).suffix(third).max() ?? 0
            let late = sizes.suffix(third).max() ?? 0
            #expect(late < early + 8 * 1024, "\(early) KiB, then \(late) KiB")
            for talker in talkers { try talker.leave() }
            #expect(try confd.terminate(within: 20) == .exited(0))
        }
    }
}

/// Numbers that one thread gathers and another reads.
private final class Samples: @unchecked Sendable {
    // Unchecked: the lock guards the numbers.
    private let lock = NSLock()
    private var numbers: [Int] = []

    func add(_ number: Int) { lock.withLock { numbers.append(number) } }
    var all: [Int] { lock.withLock { numbers } }
}
