import MediaMixer
import Payloads

/// What documents tell of a room beside its people (RFC 4575 sections 5.3 to 5.5).
struct RoomFacts: Sendable, Equatable {
    let address: RoomAddress
    var title: String?
    var subject: String?
    var freeText: String?
    var keywords: [String] = []
    var maximumUsers: Int?
    var isLocked = false
    /// Somebody who may could join now.
    var isActive = true
    /// Who runs the server.
    var hostName: String?
    /// What can be had from the room, oldest first.
    var files: [ConferenceInfo.File] = []

    init(address: RoomAddress) { self.address = address }

    /// The `<conference-description>` element.
    var description: [UInt8] { described(files) }

    /// The same for those who get no more than fits into a datagram.
    var briefDescription: [UInt8] { described([]) }

    private func described(_ files: [ConferenceInfo.File]) -> [UInt8] {
        var description = ConferenceInfo.Description()
        description.displayText = title
        description.subject = subject
        description.freeText = freeText
        description.keywords = keywords
        description.conferenceURIs = [.init(uri: address.uri, purpose: "participation")]
        description.serviceURIs = [.init(uri: address.uri, purpose: "event")]
        description.maximumUserCount = maximumUsers.map { UInt32(clamping: $0) }
        description.availableMedia = [
            .init(label: Self.mediaLabel, displayText: "chat", type: "message", status: .sendReceive)
        ]
        description.files = files
        return description.xml()
    }

    /// The `<host-info>` element; empty when there is nothing to tell.
    var hostInfo: [UInt8] {
        guard let hostName else { return [] }
        return ConferenceInfo.HostInfo(displayText: hostName, uris: [.init(uri: "sip:\(uriHost)")]).xml()
    }

    /// The `<conference-state>` element.
    func conferenceState(users: Int) -> [UInt8] {
        ConferenceInfo.ConferenceState(userCount: UInt32(clamping: users), isActive: isActive, isLocked: isLocked).xml()
    }

    private var uriHost: String { address.domain.contains(":") ? "[\(address.domain)]" : address.domain }

    /// The one stream of a room, as the endpoints' `<label>`s name it (RFC 4575 section 5.8.3).
    static let mediaLabel = "1"
}

extension RosterUser {
    /// The `<user>` element (RFC 4575 section 5.6).
    func element(role: RoomCondition.Role) -> [UInt8] {
        var user = ConferenceInfo.User(entity: uri, displayText: displayName ?? nickname)
        user.roles = [role.rawValue]
        user.nickname = nickname
        user.endpoints = endpoints.map(\.element)
        return user.xml()
    }

    /// What is left of a user that is gone.
    static func deleted(_ uri: String) -> [UInt8] { ConferenceInfo.User(entity: uri, state: .deleted).xml() }
}

extension RosterEndpoint {
    var element: ConferenceInfo.Endpoint {
        var element = ConferenceInfo.Endpoint(
            entity: entity, status: ConferenceInfo.Status(rawValue: status.rawValue))
        if let referredBy { element.referred = .init(when: referred.map(Self.moment), by: referredBy) }
        if joined != nil {
            element.joiningMethod = joining == .dialedOut ? .dialedOut : .dialedIn
            element.joiningInfo = .init(when: joined.map(Self.moment), by: referredBy)
        } else if joining == .dialedOut {
            element.joiningMethod = .dialedOut
        }
        if let departure {
            element.disconnectionMethod = ConferenceInfo.DisconnectionMethod(rawValue: departure.method.rawValue)
            // With the header's name before it, as the examples of RFC 4575 sections 5.7.5 and 5.7.7 have it.
            element.disconnectionInfo = .init(
                when: Self.moment(departure.time), reason: departure.reason.map { "Reason: \($0)" }, by: departure.by)
        } else if hasJoined {
            var medium = ConferenceInfo.Medium(
                id: "1", type: "message", label: RoomFacts.mediaLabel, status: mediaStatus)
            medium.displayText = "chat"
            element.media = [medium]
        }
        return element
    }

    /// Seen from the participant (RFC 4575 section 5.8.5).
    private var mediaStatus: ConferenceInfo.MediaStatus {
        guard media == .active else { return .inactive }
        return switch direction {
        case .sendReceive: .sendReceive
        case .sendOnly: .sendOnly
        case .receiveOnly: .receiveOnly
        case .inactive: .inactive
        }
    }

    private static func moment(_ seconds: Int64) -> String { InternetDateTime.format(seconds: seconds) }
}
