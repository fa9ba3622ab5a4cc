/// An SRV record (RFC 2782).
package struct ServiceRecord: Sendable, Hashable {
    package var priority: UInt16
    package var weight: UInt16
    package var port: UInt16
    /// Without the dot at its end; empty for the root, which says that there is no such service.
    package var target: String

    package init(priority: UInt16, weight: UInt16, port: UInt16, target: String) {
        self.priority = priority
        self.weight = weight
        self.port = port
        self.target = target
    }

    /// The order in which the targets are tried: by priority, and within one by weighted chance.
    package static func order(
        _ records: [ServiceRecord], using generator: inout some RandomNumberGenerator
    ) -> [ServiceRecord] {
        var order: [ServiceRecord] = []
        for priority in Set(records.map(\.priority)).sorted() {
            // Those of weight 0 first, so that they have a small chance of being taken.
            var rest = records.filter { $0.priority == priority }
            rest = rest.filter { $0.weight == 0 } + rest.filter { $0.weight > 0 }
            while !rest.isEmpty {
                let sum = rest.reduce(0) { $0 + Int($1.weight) }
                let chance = Int.random(in: 0...sum, using: &generator)
                var running = 0
                let index = rest.firstIndex {
                    running += Int($0.weight)
                    return running >= chance
                }
                order.append(rest.remove(at: index ?? 0))
            }
        }
        return order
    }
}
