/// What the relay has done since it was started. Octets are those of whole messages, heads included.
package struct RelayCounters: Sendable, Equatable, Codable {
    /// Sessions that live now, and all that were opened.
    package var sessions = 0
    package var sessionsOpened: UInt64 = 0
    /// Sessions that ended, by `SessionEnd`'s name.
    package var sessionsEnded: [String: UInt64] = [:]
    package var bytesFromClients: UInt64 = 0
    package var bytesFromPeers: UInt64 = 0
    /// SENDs passed on.
    package var messages: UInt64 = 0
    package var reportsMade: UInt64 = 0
    package var connectsFailed: UInt64 = 0
    /// Answers to AUTH by status code: "200", "401", ...
    package var authOutcomes: [String: UInt64] = [:]
    /// Requests other than AUTH that were refused, by status code.
    package var refusals: [String: UInt64] = [:]

    package init() {}

    package mutating func countAuth(_ code: Int) { authOutcomes["\(code)", default: 0] &+= 1 }
    mutating func countRefusal(_ code: Int) { refusals["\(code)", default: 0] &+= 1 }
}
