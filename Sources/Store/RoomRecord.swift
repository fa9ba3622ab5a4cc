internal import FoundationEssentials
internal import MediaMixer

/// A room's configuration as it stands in the database: names are those of the configuration file.
///
/// What a file of an older version doesn't say takes the default, so that new settings need no new schema.
struct RoomRecord: Codable {
    private var title: String?
    private var plainText: Bool?
    private var welcome: WelcomeRecord?
    private var maximumParticipants: Int?
    private var join: RoomConfiguration.Group?
    private var speak: RoomConfiguration.Group?
    private var invite: RoomConfiguration.Group?
    private var remove: RoomConfiguration.Group?
    private var describe: RoomConfiguration.Group?
    private var subscribe: RoomConfiguration.Subscribers?
    private var listed: [String]?
    private var owners: [String]?
    private var moderators: [String]?
    private var observers: [String]?
    private var privateMessages: Bool?
    private var nicknames: Bool?
    private var anonymous: Bool?
    private var dialOut: RoomConfiguration.DialOut?
    private var dialOutFallback: Fallback?
    private var ends: RoomConfiguration.Ending?
    private var maxMessageSize: Int?
    /// As the configuration file has it: `last 20`.
    private var history: String?
    private var historyPrivate: Bool?
    private var systemMessages: RoomConfiguration.SystemLines?
    private var congested: String?
    private var files: RoomConfiguration.Files?
    private var reservedNicknames: [String]?

    private struct WelcomeRecord: Codable {
        var whom: Whom
        var text: String?

        enum Whom: String, Codable { case nobody, unaware, everybody }
    }

    private enum Fallback: String, Codable { case refer, invite, nothing = "none" }

    init(_ room: RoomConfiguration) {
        title = room.title
        plainText = room.allowsPlainText
        welcome =
            switch room.welcome {
            case .nobody: WelcomeRecord(whom: .nobody)
            case .clientsUnawareOfChatRooms(let text): WelcomeRecord(whom: .unaware, text: text)
            case .everybody(let text): WelcomeRecord(whom: .everybody, text: text)
            }
        maximumParticipants = room.maximumMembers
        join = room.join
        speak = room.speak
        invite = room.invite
        remove = room.remove
        describe = room.describe
        subscribe = room.subscribe
        listed = room.listed
        owners = room.owners
        moderators = room.moderators
        observers = room.observers
        privateMessages = room.allowsPrivateMessages
        nicknames = room.allowsNicknames
        anonymous = room.allowsAnonymous
        dialOut = room.dialOut
        dialOutFallback =
            switch room.dialOutFallback {
            case .refer: .refer
            case .invite: .invite
            case nil: .nothing
            }
        ends = room.ends
        maxMessageSize = room.maximumMessageSize
        history = room.history.text
        historyPrivate = room.keepsPrivateMessages
        systemMessages = room.systemLines
        congested = room.congestion.text
        files = room.files
        reservedNicknames = room.reservedNicknames
    }

    func configuration(of address: RoomAddress) -> RoomConfiguration {
        var room = RoomConfiguration(address: address)
        room.title = title ?? room.title
        room.allowsPlainText = plainText ?? room.allowsPlainText
        switch welcome?.whom {
        case .nobody: room.welcome = .nobody
        case .unaware: room.welcome = .clientsUnawareOfChatRooms(text: welcome?.text)
        case .everybody: room.welcome = .everybody(text: welcome?.text ?? "")
        case nil: break
        }
        room.maximumMembers = maximumParticipants
        room.join = join ?? room.join
        room.speak = speak ?? room.speak
        room.invite = invite ?? room.invite
        room.remove = remove ?? room.remove
        room.describe = describe ?? room.describe
        room.subscribe = subscribe ?? room.subscribe
        room.listed = listed ?? []
        room.owners = owners ?? []
        room.moderators = moderators ?? []
        room.observers = observers ?? []
        room.allowsPrivateMessages = privateMessages ?? room.allowsPrivateMessages
        room.allowsNicknames = nicknames ?? room.allowsNicknames
        room.allowsAnonymous = anonymous ?? room.allowsAnonymous
        room.dialOut = dialOut ?? room.dialOut
        switch dialOutFallback {
        case .refer: room.dialOutFallback = .refer
        case .invite: room.dialOutFallback = .invite
        case .nothing: room.dialOutFallback = nil
        case nil: break
        }
        room.ends = ends ?? room.ends
        room.maximumMessageSize = maxMessageSize
        room.history = history.flatMap { .init(text: $0) } ?? room.history
        room.keepsPrivateMessages = historyPrivate ?? room.keepsPrivateMessages
        room.systemLines = systemMessages ?? room.systemLines
        room.congestion = congested.flatMap { .init(text: $0) } ?? room.congestion
        room.files = files ?? room.files
        room.reservedNicknames = reservedNicknames ?? []
        return room
    }
}

/// A room's condition as it stands in the database.
struct RoomConditionRecord: Codable {
    private var title: String?
    private var subject: String?
    private var freeText: String?
    private var keywords: [String]?
    private var locked: Bool?
    private var roles: [String: RoomCondition.Role]?
    private var bans: [RoomCondition.Ban]?
    private var muted: [String]?

    init(_ condition: RoomCondition) {
        title = condition.title
        subject = condition.subject
        freeText = condition.freeText
        keywords = condition.keywords
        locked = condition.isLocked
        roles = condition.roles
        bans = condition.bans
        muted = condition.muted.sorted()
    }

    var condition: RoomCondition {
        var condition = RoomCondition()
        condition.title = title
        condition.subject = subject
        condition.freeText = freeText
        condition.keywords = keywords ?? []
        condition.isLocked = locked ?? false
        condition.roles = roles ?? [:]
        condition.bans = bans ?? []
        condition.muted = Set(muted ?? [])
        return condition
    }
}

extension Decodable where Self: Encodable {
    fileprivate static func decode(_ json: String) throws -> Self {
        do {
            let decoder = JSONDecoder()
            decoder.keyDecodingStrategy = .convertFromSnakeCase
            return try decoder.decode(Self.self, from: Data(json.utf8))
        } catch let error as DecodingError {
            throw StoreError(Self.explain(error))
        }
    }

    private static func explain(_ error: DecodingError) -> String {
        switch error {
        case .dataCorrupted(let context), .keyNotFound(_, let context), .typeMismatch(_, let context),
            .valueNotFound(_, let context):
            let place = context.codingPath.map(\.stringValue).joined(separator: ".")
            return place.isEmpty ? "it is not understood" : "'\(place)' has a value that is not known"
        @unknown default: return "it is not understood"
        }
    }

    fileprivate func encoded() throws -> String {
        let encoder = JSONEncoder()
        encoder.keyEncodingStrategy = .convertToSnakeCase
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return String(decoding: try encoder.encode(self), as: UTF8.self)
    }
}

extension RoomRecord {
    init(json: String) throws { self = try Self.decode(json) }

    func json() throws -> String { try encoded() }
}

extension RoomConditionRecord {
    init(json: String) throws { self = try Self.decode(json) }

    func json() throws -> String { try encoded() }
}
