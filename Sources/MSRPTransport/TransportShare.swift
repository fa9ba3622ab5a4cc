import NIOCore
import Synchronization

/// What the loops of one transport share: what limits hold for the whole process, and how to reach each other.
///
/// It is looked at when connections and sessions come and go, never per message.
final class TransportShare: Sendable {
    let count: Int
    /// Connections of all loops, those that are on their way from one to another included.
    private let connections = Atomic<Int>(0)
    private let connectionsByAddress = Mutex<[IPAddress: Int]>([:])
    /// Set once when the loops are there, taken away when they end; empty where there is one loop only.
    private let loops = Mutex<[NIOLoopBound<TransportLoop>]>([])

    init(count: Int) { self.count = count }

    // MARK: Connections

    enum Admission {
        case yes
        case tooMany
        case tooManyOfAddress
    }

    /// Counts one more connection, if the limits allow it. Loopback addresses are not counted by address.
    func admit(_ address: IPAddress?, limits: TransportLimits) -> Admission {
        guard connections.add(1, ordering: .relaxed).newValue <= limits.connections else {
            connections.subtract(1, ordering: .relaxed)
            return .tooMany
        }
        guard let address, !address.isLoopback else { return .yes }
        let isAdmitted = connectionsByAddress.withLock { table in
            let count = table[address, default: 0]
            guard count < limits.connectionsPerAddress else { return false }
            table[address] = count + 1
            return true
        }
        guard isAdmitted else {
            connections.subtract(1, ordering: .relaxed)
            return .tooManyOfAddress
        }
        return .yes
    }

    func forget(_ address: IPAddress?) {
        connections.subtract(1, ordering: .relaxed)
        guard let address, !address.isLoopback else { return }
        connectionsByAddress.withLock { table in
            if let count = table[address] { table[address] = count > 1 ? count - 1 : nil }
        }
    }

    /// This loop's part of a limit that each loop keeps for itself; at least one.
    func part(of limit: Int) -> Int { max(1, limit / count) }

    // MARK: Loops

    func connect(_ all: [NIOLoopBound<TransportLoop>]) {
        guard count > 1 else { return }
        loops.withLock { $0 = all }
    }

    func disconnect() { loops.withLock { $0 = [] } }

    /// Nil before all have started, and when they are ending.
    func loop(_ index: Int) -> NIOLoopBound<TransportLoop>? {
        loops.withLock { $0.indices.contains(index) ? $0[index] : nil }
    }
}

/// How many session-ids there are in the tables of all loops.
package final class SessionCount: Sendable {
    private let count = Atomic<Int>(0)

    package init() {}

    func take(limit: Int) -> Bool {
        guard count.add(1, ordering: .relaxed).newValue <= limit else {
            count.subtract(1, ordering: .relaxed)
            return false
        }
        return true
    }

    func giveBack(_ number: Int = 1) { count.subtract(number, ordering: .relaxed) }
}
