internal import MediaMixer

/// What `confd room set` changes; what is nil stays as it is.
struct RoomChange: Codable, Sendable, Equatable {
    var rules = Rules()
    var words = Words()

    /// What the operator says about a room; only for rooms that are not in the configuration file.
    struct Rules: Codable, Sendable, Equatable {
        var welcome: RoomConfiguration.Welcome?
        /// Zero: as many as the server takes.
        var maximumMembers: Int?
        var allowsPlainText: Bool?
        var allowsPrivateMessages: Bool?
        var allowsNicknames: Bool?
        var allowsAnonymous: Bool?
        var join: RoomConfiguration.Group?
        var speak: RoomConfiguration.Group?
        var invite: RoomConfiguration.Group?
        var remove: RoomConfiguration.Group?
        var describe: RoomConfiguration.Group?
        var subscribe: RoomConfiguration.Subscribers?
        var listed: [String]?
        var owners: [String]?
        var moderators: [String]?
        var observers: [String]?
        var dialOut: RoomConfiguration.DialOut?
        var dialOutFallback: DialOutFallback?
        /// Zero: that of the server.
        var maximumMessageSize: Int?
        var history: RoomConfiguration.History?
        var keepsPrivateMessages: Bool?
        var systemLines: RoomConfiguration.SystemLines?
        var congestion: RoomConfiguration.Congestion?
        var files: RoomConfiguration.Files?
        var reservedNicknames: [String]?

        var isEmpty: Bool { self == Rules() }

        func apply(to room: inout RoomConfiguration) {
            if let welcome { room.welcome = welcome }
            if let maximumMembers { room.maximumMembers = maximumMembers == 0 ? nil : maximumMembers }
            if let allowsPlainText { room.allowsPlainText = allowsPlainText }
            if let allowsPrivateMessages { room.allowsPrivateMessages = allowsPrivateMessages }
            if let allowsNicknames { room.allowsNicknames = allowsNicknames }
            if let allowsAnonymous { room.allowsAnonymous = allowsAnonymous }
            if let join { room.join = join }
            if let speak { room.speak = speak }
            if let invite { room.invite = invite }
            if let remove { room.remove = remove }
            if let describe { room.describe = describe }
            if let subscribe { room.subscribe = subscribe }
            if let listed { room.listed = listed }
            if let owners { room.owners = owners }
            if let moderators { room.moderators = moderators }
            if let observers { room.observers = observers }
            if let dialOut { room.dialOut = dialOut }
            if let dialOutFallback { room.dialOutFallback = dialOutFallback == .invite ? .invite : nil }
            if let maximumMessageSize {
                room.maximumMessageSize = maximumMessageSize == 0 ? nil : maximumMessageSize
            }
            if let history { room.history = history }
            if let keepsPrivateMessages { room.keepsPrivateMessages = keepsPrivateMessages }
            if let systemLines { room.systemLines = systemLines }
            if let congestion { room.congestion = congestion }
            if let files { room.files = files }
            if let reservedNicknames { room.reservedNicknames = reservedNicknames }
        }
    }

    /// What a room says of itself, as its people may change it, too (PUBLISH). An empty text takes it away.
    struct Words: Codable, Sendable, Equatable {
        /// Taken away, the configuration's title shows again.
        var title: String?
        var subject: String?
        var freeText: String?
        var keywords: [String]?

        var isEmpty: Bool { self == Words() }

        func apply(to condition: inout RoomCondition) {
            if let title { condition.title = title.isEmpty ? nil : title }
            if let subject { condition.subject = subject.isEmpty ? nil : subject }
            if let freeText { condition.freeText = freeText.isEmpty ? nil : freeText }
            if let keywords { condition.keywords = keywords }
        }
    }
}
