import Synchronization

/// What the mixers of all loops may have together.
final class MixerShare: Sendable {
    let loops: Int
    private let rooms = Atomic<Int>(0)
    private let transfers = Atomic<Int>(0)
    /// By loop.
    private let members: Mutex<[Int]>

    init(loops: Int) {
        self.loops = loops
        members = Mutex(Array(repeating: 0, count: loops))
    }

    /// - Returns: false when there are `limit` rooms already.
    func takeRoom(limit: Int) -> Bool {
        guard rooms.add(1, ordering: .relaxed).newValue <= limit else {
            rooms.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    /// - Returns: false when there are `limit` file transfers already.
    func takeTransfer(limit: Int) -> Bool {
        guard transfers.add(1, ordering: .relaxed).newValue <= limit else {
            transfers.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func giveBackTransfer() { transfers.subtract(1, ordering: .relaxed) }

    func giveBackRooms(_ number: Int) { rooms.subtract(number, ordering: .relaxed) }

    /// - Returns: false when there are `limit` members already.
    func takeMember(on loop: Int, limit: Int) -> Bool {
        members.withLock { members in
            guard members.reduce(0, +) < limit else { return false }
            members[loop] += 1
            return true
        }
    }

    func giveBackMember(of loop: Int) { members.withLock { $0[loop] -= 1 } }

    func members(of loop: Int) -> Int { members.withLock { $0[loop] } }

    /// A loop's part of `MixerConfiguration.reassemblyBudget`: room for one participant at least.
    func reassemblyBudget(_ configuration: MixerConfiguration) -> Int {
        guard loops > 1 else { return configuration.reassemblyBudget }
        return max(configuration.reassemblyBudget / loops, configuration.reassemblyPerMember)
    }
}
