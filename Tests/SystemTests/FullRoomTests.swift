import Foundation
import Support
import Testing

extension SystemTests {
    /// A room as full as it gets: many talk at once, in all sizes and forms, while some stop reading and some vanish.
    @Suite("A full room", .serialized)
    struct FullRoomTests {
        struct Scale: Sendable {
            var members: Int
            var senders: Int
            var small: Int
            var large: Int
            var privates: Int
            var chunked: Int
            var stalled: Int
            var vanishing: Int

            static let usual = Scale(
                members: 30, senders: 6, small: 1200, large: 12, privates: 24, chunked: 24, stalled: 3, vanishing: 3)
            static let full = Scale(
                members: 100, senders: 10, small: 9700, large: 100, privates: 100, chunked: 100, stalled: 5,
                vanishing: 5)
        }

        @Test(
            "every message that should arrive does, once, in order, intact, and memory comes back",
            arguments: [false, true])
        func everything(tls: Bool) throws {
            let scale = SystemTests.long ? Scale.full : .usual
            let confd = try ConfdProcess(["Log": ["level": "error"]])
            let scripts = Self.scripts(scale)
            let room = "sip:full@127.0.0.1"
            let lost = scale.members - scale.stalled - scale.vanishing
            let members = try (0..<scale.members).map { index in
                let fate: CrowdMember.Fate =
                    index < lost
                    ? .stays
                    : index < lost + scale.stalled
                        ? .stalls(after: 20 * (index - lost + 1)) : .vanishes(after: 30 * (index - lost + 1))
                return CrowdMember(
                    try Participant("user\(index)", in: room, of: confd, tls: tls) { offer, _ in
                        offer.chatroom = "nickname private-messages"
                    }, index: index,
                    fate: fate, script: index < scripts.count ? scripts[index] : [])
            }
            let before = try confd.residentKiB()
            let expected = (0..<lost).map { Self.expected(of: $0, scripts) }
            let watch = MemoryWatch(confd)
            try Crowd.run(members, within: SystemTests.long ? 900 : 120) { member in
                member.heardCount >= expected[member.index].count
            }
            let most = watch.stop()
            for member in members.prefix(lost) {
                #expect(member.complaints == [])
                // One order for each sender, by the beginnings of messages.
                let heard = member.heard
                for sender in scripts.indices where sender != member.index {
                    let numbers = heard.filter { $0.sender == sender }.map(\.number)
                    let right = expected[member.index].filter { $0.sender == sender }.map(\.number)
                    let same = zip(numbers, right).prefix { $0 == $1 }.count
                    #expect(
                        same == right.count && same == numbers.count,
                        "member \(member.index) heard of \(sender): \(numbers.dropFirst(same).prefix(5)), not \(right.dropFirst(same).prefix(5))"
                    )
                }
                #expect(member.statuses.keys.sorted() == (scripts.indices.contains(member.index) ? [200] : []))
            }
            #expect(most < 300 * 1024, "\(most) KiB")
            for member in members.prefix(lost) { try member.participant.leave() }
            let deadline = Deadline.after(seconds: 60)
            while try confd.residentKiB() > before + 40 * 1024, !deadline.passed { usleep(200_000) }
            let after = try confd.residentKiB()
            #expect(after <= before + 40 * 1024, "\(before) KiB before, \(most) at most, \(after) after")
            #expect(try confd.terminate(within: 20) == .exited(0))
        }

        /// What each sender says; known before anything runs.
        static func scripts(_ scale: Scale) -> [[CrowdMessage]] {
            var generator = SeededGenerator(seed: 20_261_121)
            let lost = scale.members - scale.stalled - scale.vanishing
            return (0..<scale.senders).map { sender in
                var kinds: [CrowdMessage] = []
                func share(_ count: Int) -> Range<Int> {
                    (count * sender / scale.senders)..<(count * (sender + 1) / scale.senders)
                }
                for _ in share(scale.small) {
                    kinds.append(CrowdMessage(number: 0, size: .random(in: 1...400, using: &generator)))
                }
                for _ in share(scale.large) { kinds.append(CrowdMessage(number: 0, size: 1_000_000)) }
                for _ in share(scale.privates) {
                    var recipient = Int.random(in: 0..<lost - 1, using: &generator)
                    if recipient >= sender { recipient += 1 }
                    kinds.append(CrowdMessage(number: 0, size: 90, recipient: recipient))
                }
                for turn in share(scale.chunked) {
                    switch turn % 4 {
                    case 0: kinds.append(CrowdMessage(number: 0, size: 5000, form: .chunks(of: 1000)))
                    case 1: kinds.append(CrowdMessage(number: 0, size: 2_200_000, form: .chunks(of: 65_536)))
                    case 2: kinds.append(CrowdMessage(number: 0, size: 40_000, form: .abandoned(of: 4096)))
                    default: kinds.append(CrowdMessage(number: 0, size: 3_000_000, form: .abandoned(of: 100_000)))
                    }
                }
                kinds.shuffle(using: &generator)
                for index in kinds.indices { kinds[index].number = index }
                return kinds
            }
        }

        /// What a member hears, sender by sender.
        static func expected(of member: Int, _ scripts: [[CrowdMessage]]) -> [CrowdHeard] {
            scripts.enumerated().filter { $0.offset != member }.flatMap { sender, script in
                script.filter { message in
                    if case .abandoned = message.form { return false }
                    return message.recipient == nil || message.recipient == member
                }.map { CrowdHeard(sender: sender, number: $0.number) }
            }
        }
    }
}

/// Looks at a process's resident size now and then.
private final class MemoryWatch: @unchecked Sendable {
    // Unchecked: the lock guards both.
    private let lock = NSLock()
    private var most = 0
    private var isOver = false
    private let confd: ConfdProcess

    init(_ confd: ConfdProcess) {
        self.confd = confd
        Thread { [self] in
            while !lock.withLock({ isOver }) {
                let size = (try? confd.residentKiB()) ?? 0
                lock.withLock { most = max(most, size) }
                usleep(100_000)
            }
        }.start()
    }

    /// The most that was seen, in KiB.
    func stop() -> Int {
        lock.withLock {
            isOver = true
            return most
        }
    }
}
