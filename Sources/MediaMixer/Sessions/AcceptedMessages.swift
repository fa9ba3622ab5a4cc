import MSRP

/// The messages of a participant that the room passed on last, to know them again after a loss: a client whose 200
/// was lost with the connection sends them once more in its new session (RFC 4975 section 5.4).
struct AcceptedMessages {
    /// More are in flight at a loss with hardly any client.
    static let most = 16

    private var recent: [MessageID] = []
    private var oldest = 0
    /// What earlier sessions of the participant brought.
    private var earlier: [MessageID] = []

    mutating func accept(_ id: MessageID) {
        if recent.count < Self.most {
            recent.append(id)
        } else {
            recent[oldest] = id
            oldest = (oldest + 1) % Self.most
        }
    }

    /// A new session begins. Within one session a repeated id is the sender's affair.
    mutating func beginSession() {
        guard !recent.isEmpty else { return }
        earlier = recent
        recent = []
        oldest = 0
    }

    /// Whether an earlier session brought this message already.
    func isRepeated(_ id: MessageID) -> Bool { !earlier.isEmpty && earlier.contains(id) }
}
