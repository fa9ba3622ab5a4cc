/// A conference information document (RFC 4575): the whole of a conference, or what has changed in it.
///
/// What is nil or empty is not written; in partial state that leaves it as it was. Sidebars and the elements of other
/// namespaces are not kept; `others` tells that they were there.
package struct ConferenceInfo: Sendable, Hashable {
    package static let contentType = "application/conference-info+xml"

    /// What an element says about itself (section 4.4).
    package enum State: String, Sendable, Hashable {
        case full, partial, deleted
    }

    /// The conference URI (section 5.2).
    package var entity: String
    package var state: State
    /// Goes up by one with each partial document of a subscription (section 4.3).
    package var version: UInt32?
    package var description: Description?
    package var hostInfo: HostInfo?
    package var conferenceState: ConferenceState?
    /// Nil: the document has no `users` element.
    package var users: Users?
    /// Local names of the root's child elements that were read and are not in this model.
    package var others: [String] = []

    package init(
        entity: String, state: State = .full, version: UInt32? = nil, description: Description? = nil,
        hostInfo: HostInfo? = nil, conferenceState: ConferenceState? = nil, users: Users? = nil
    ) {
        self.entity = entity
        self.state = state
        self.version = version
        self.description = description
        self.hostInfo = hostInfo
        self.conferenceState = conferenceState
        self.users = users
    }

    /// The `conference-description` (section 5.3).
    package struct Description: Sendable, Hashable {
        package var displayText: String?
        package var subject: String?
        package var freeText: String?
        package var keywords: [String] = []
        package var conferenceURIs: [URIEntry] = []
        package var serviceURIs: [URIEntry] = []
        package var maximumUserCount: UInt32?
        package var availableMedia: [AvailableMedium] = []
        /// What people pushed into the room: an extension that Blink shows.
        package var files: [File] = []
        /// Local names of child elements that were read and are not in this model.
        package var others: [String] = []

        package init() {}
    }

    /// An entry of `conf-uris`, `service-uris`, `uris` or `associated-aors` (section 5.3.1).
    package struct URIEntry: Sendable, Hashable {
        package var uri: String
        package var displayText: String?
        /// Such as `participation`.
        package var purpose: String?

        package init(uri: String, displayText: String? = nil, purpose: String? = nil) {
            self.uri = uri
            self.displayText = displayText
            self.purpose = purpose
        }
    }

    /// An entry of `available-media` (section 5.3.4).
    package struct AvailableMedium: Sendable, Hashable {
        package var label: String
        package var displayText: String?
        /// A media type of SDP, such as `message`.
        package var type: String
        package var status: MediaStatus?

        package init(label: String, displayText: String? = nil, type: String, status: MediaStatus? = nil) {
            self.label = label
            self.displayText = displayText
            self.type = type
            self.status = status
        }
    }

    /// A file that can be had from the room (`urn:ag-projects:xml:ns:conference-info`, `resources/files/file`).
    package struct File: Sendable, Hashable {
        package var name: String
        /// As a hash selector has it: `sha-1:72:24:...` (RFC 5547 section 6). Blink asks for the file by it.
        package var hash: String
        /// Octets.
        package var size: UInt64
        /// The URI of who pushed it.
        package var sender: String
        package var status: String

        package init(name: String, hash: String, size: UInt64, sender: String, status: String = "OK") {
            self.name = name
            self.hash = hash
            self.size = size
            self.sender = sender
            self.status = status
        }
    }

    /// A direction, seen from the participant (section 5.8.5).
    package enum MediaStatus: String, Sendable, Hashable {
        case receiveOnly = "recvonly"
        case sendOnly = "sendonly"
        case sendReceive = "sendrecv"
        case inactive
    }

    /// The `host-info` (section 5.4).
    package struct HostInfo: Sendable, Hashable {
        package var displayText: String?
        package var webPage: String?
        package var uris: [URIEntry] = []

        package init(displayText: String? = nil, webPage: String? = nil, uris: [URIEntry] = []) {
            self.displayText = displayText
            self.webPage = webPage
            self.uris = uris
        }
    }

    /// The `conference-state` (section 5.5).
    package struct ConferenceState: Sendable, Hashable {
        package var userCount: UInt32?
        package var isActive: Bool?
        package var isLocked: Bool?

        package init(userCount: UInt32? = nil, isActive: Bool? = nil, isLocked: Bool? = nil) {
            self.userCount = userCount
            self.isActive = isActive
            self.isLocked = isLocked
        }
    }

    /// The `users` element (section 5.6).
    package struct Users: Sendable, Hashable {
        package var state: State
        package var list: [User]

        package init(state: State = .full, _ list: [User]) {
            self.state = state
            self.list = list
        }
    }
}
