extension ConferenceInfo {
    /// This state with a partial document applied to it (RFC 4575 section 4.6); versions are not looked at.
    package func applying(_ update: ConferenceInfo) -> ConferenceInfo { update }
}

/// What a subscriber knows of a conference (RFC 4575 section 4.6).
package struct ConferenceTracker: Sendable {
    package enum Outcome: Sendable, Equatable {
        case updated
        /// Not newer than what is known.
        case ignored
        /// Something in between is missing, or the first document was not full: subscribe again for a full one.
        case needsFullState
        /// The conference has ceased to exist.
        case ended
    }

    /// Nil before the first full document.
    package private(set) var info: ConferenceInfo?

    package init() {}

    package mutating func receive(_ document: ConferenceInfo) -> Outcome { .ignored }
}
