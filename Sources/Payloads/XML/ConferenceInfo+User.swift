extension ConferenceInfo {
    /// A `user` (section 5.6), known by its entity.
    package struct User: Sendable, Hashable {
        package var entity: String
        package var state: State
        package var displayText: String?
        package var associatedAORs: [URIEntry] = []
        /// Such as `participant`, `moderator`.
        package var roles: [String] = []
        /// The nickname in the room: RFC 7701 section 7.4, the attribute of RFC 6501.
        package var nickname: String?
        package var endpoints: [Endpoint] = []

        package init(entity: String, state: State = .full, displayText: String? = nil) {
            self.entity = entity
            self.state = state
            self.displayText = displayText
        }
    }

    /// One device of a user (section 5.7), known among the user's by its entity.
    package struct Endpoint: Sendable, Hashable {
        package var entity: String
        package var state: State
        package var displayText: String?
        /// Who had this endpoint brought in.
        package var referred: Execution?
        package var status: Status?
        package var joiningMethod: JoiningMethod?
        package var joiningInfo: Execution?
        package var disconnectionMethod: DisconnectionMethod?
        package var disconnectionInfo: Execution?
        package var media: [Medium] = []
        package var callInfo: CallInfo?

        package init(entity: String, state: State = .full, status: Status? = nil) {
            self.entity = entity
            self.state = state
            self.status = status
        }
    }

    /// Section 5.7.3.
    package enum Status: String, Sendable, Hashable, CaseIterable {
        case pending
        case dialingOut = "dialing-out"
        case dialingIn = "dialing-in"
        case alerting
        case onHold = "on-hold"
        case connected
        case mutedViaFocus = "muted-via-focus"
        case disconnecting
        case disconnected
    }

    /// Section 5.7.4.
    package enum JoiningMethod: String, Sendable, Hashable, CaseIterable {
        case dialedIn = "dialed-in"
        case dialedOut = "dialed-out"
        case focusOwner = "focus-owner"
    }

    /// Section 5.7.6.
    package enum DisconnectionMethod: String, Sendable, Hashable, CaseIterable {
        case departed, booted, failed, busy
    }

    /// When, why and by whom something was done (sections 5.7.2, 5.7.5, 5.7.7).
    package struct Execution: Sendable, Hashable {
        /// A moment as RFC 3339 writes it, in UTC; what is none is left out when written.
        package var when: String?
        /// Best as a Reason header has it (RFC 3326).
        package var reason: String?
        package var by: String?

        package init(when: String? = nil, reason: String? = nil, by: String? = nil) {
            self.when = when
            self.reason = reason
            self.by = by
        }
    }

    /// One media stream (section 5.8), known among the endpoint's by its id.
    package struct Medium: Sendable, Hashable {
        package var id: String
        package var displayText: String?
        package var type: String?
        package var label: String?
        package var sourceID: String?
        package var status: MediaStatus?

        package init(id: String, type: String? = nil, label: String? = nil, status: MediaStatus? = nil) {
            self.id = id
            self.type = type
            self.label = label
            self.status = status
        }
    }

    /// The dialog of an endpoint with the focus (section 5.7.9).
    package struct CallInfo: Sendable, Hashable {
        package var displayText: String?
        package var callID: String
        package var fromTag: String
        package var toTag: String

        package init(callID: String, fromTag: String, toTag: String, displayText: String? = nil) {
            self.displayText = displayText
            self.callID = callID
            self.fromTag = fromTag
            self.toTag = toTag
        }
    }
}
