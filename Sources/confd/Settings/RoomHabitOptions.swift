internal import MediaMixer

extension Options {
    /// What is said in rooms, and what is kept of it.
    enum Habits {
        static let general: [any OptionDescription] =
            [
                history.general, historyPrivate.general, systemMessages.general, congested.general, files.general,
                reservedNicknames.general,
            ]
        static let room: [any OptionDescription] =
            [
                maxMessageSize, history.room, historyPrivate.room, systemMessages.room, congested.room, files.room,
                reservedNicknames.room,
            ]

        static let maxMessageSize = Option<Int?>(
            "Room", "max_message_size", default: nil, "(that of [MSRP])", example: "64 KiB",
            read: { (text, context) throws(ValueError) in try Values.size(256...(1 << 30))(text, context) },
            "The largest message that this room takes; larger ones get 413.")
        static let history = RoomRule(
            "history", default: RoomConfiguration.History.none, "none", example: "last 20",
            read: { (text, _) throws(ValueError) in
                guard let history = RoomConfiguration.History(text: String(text)) else {
                    throw ValueError("'\(text)' is not none, 'last 20' or '7 days'")
                }
                return history
            },
            [
                "What was said that newcomers are told, and that the database keeps: none, the last so many messages",
                "('last 20'), or those of so many days ('7 days'). It is told again in a room that is made again.",
            ])
        static let historyPrivate = RoomRule(
            "history_private", default: false, "No", read: Values.boolean,
            ["Whether private messages are kept as well; only their two ends are told them again."])
        static let systemMessages = RoomRule(
            "system_messages", default: RoomConfiguration.SystemLines.none, "none", example: "unsubscribed",
            read: Values.choice(RoomConfiguration.SystemLines.self),
            [
                "Whether the room says who comes and leaves, and what its subject is: none, unsubscribed (to those whose",
                "client doesn't show who is there) or all.",
            ])
        static let congested = RoomRule<RoomConfiguration.Congestion?>(
            "congested", default: nil, "(disconnect after slow_member_wait)", example: "drop",
            read: { (text, _) throws(ValueError) in
                guard let congestion = RoomConfiguration.Congestion(text: String(text)) else {
                    throw ValueError("'\(text)' is not drop or 'disconnect after 5 s' (at most 3600 s)")
                }
                return congestion
            },
            [
                "What becomes of a participant who takes less than is said: drop (it misses messages until it has caught",
                "up, and is told so) or 'disconnect after 5 s'.",
            ])
        static let files = RoomRule(
            "files", default: RoomConfiguration.Files.announced, "announced",
            read: Values.choice(RoomConfiguration.Files.self),
            [
                "What becomes of files that are sent to the room: none (they are refused), announced (kept; who wants one",
                "fetches it) or pushed (offered to every participant at once).",
            ])
        static let reservedNicknames = RoomRule<[String]>(
            "reserved_nicknames", default: [], "(none)", example: "admin, moderator",
            read: { (text, _) throws(ValueError) in
                text.split(separator: ",").map { String($0.trimmingBlanks()) }.filter { !$0.isEmpty }
            },
            ["Nicknames that nobody gets, with commas; also those that only look like them."])
    }

    /// `[Files]`: files that were sent to rooms.
    enum Files {
        static let all: [any OptionDescription] = [
            directory, maxSize, roomSize, totalSize, perRoom, maxIncoming, maxAge,
        ]

        static let directory = Option<String?>(
            "Files", "directory", default: nil, "(files, in the state directory)", example: "/var/lib/confd/files",
            read: Values.folder, "Folder for the files; made when missing. Nothing else may be in it.")
        static let maxSize = Option<Int>(
            "Files", "max_size", default: 100 << 20, "100 MiB", read: Values.size(1...(1 << 40)),
            "The largest file.")
        static let roomSize = Option<Int>(
            "Files", "room_size", default: 1 << 30, "1 GiB", read: Values.size(1...(1 << 44)),
            "Bytes of all files of one room.")
        static let totalSize = Option<Int>(
            "Files", "total_size", default: 10 << 30, "10 GiB", read: Values.size(1...(1 << 50)),
            "Bytes of all files together.")
        static let perRoom = Option<Int>(
            "Files", "per_room", default: 1000, "1000", read: Values.count(1...1_000_000), "Most files of one room.")
        static let maxIncoming = Option<Int>(
            "Files", "max_incoming", default: 64, "64", read: Values.count(1...10_000),
            "Most files that are being received at a time.")
        static let maxAge = Option<Duration?>(
            "Files", "max_age", default: .seconds(7 * 86_400), "168 h", example: "24 h",
            read: { (text, context) throws(ValueError) in
                if text.lowercased() == "none" { return nil }
                return try Values.duration(.seconds(60) ... .seconds(36_500 * 86_400))(text, context)
            },
            "How long a file is kept; none: as long as its room.")
    }
}

extension Settings {
    /// What is said in a room, and what is kept of it.
    struct Habits: Equatable, Sendable {
        /// Nil: that of `[MSRP]`.
        var maxMessageSize: Int?
        var history: RoomConfiguration.History
        var historyPrivate: Bool
        var systemMessages: RoomConfiguration.SystemLines
        /// Nil: disconnect after `slow_member_wait`.
        var congested: RoomConfiguration.Congestion?
        var files: RoomConfiguration.Files
        var reservedNicknames: [String]
    }

    /// `[Files]`
    struct Files: Equatable, Sendable {
        /// Nil: in the state directory.
        var directory: String?
        var maxSize: Int
        var roomSize: Int
        var totalSize: Int
        var perRoom: Int
        var maxIncoming: Int
        /// Nil: as long as the room.
        var maxAge: Duration?
    }
}

extension Settings.Habits {
    /// Those of `[Conference]`.
    init(_ source: inout SettingsSource) {
        history = source.value(Options.Habits.history.general)
        historyPrivate = source.value(Options.Habits.historyPrivate.general)
        systemMessages = source.value(Options.Habits.systemMessages.general)
        congested = source.value(Options.Habits.congested.general)
        files = source.value(Options.Habits.files.general)
        reservedNicknames = source.value(Options.Habits.reservedNicknames.general)
    }

    /// Those of a room, where `[Conference]` says what it doesn't.
    init(in section: String, else general: Settings.Habits, _ source: inout SettingsSource) {
        typealias Habits = Options.Habits
        maxMessageSize = source.value(Habits.maxMessageSize, in: section)
        history = Habits.history.value(in: section, else: general.history, &source)
        historyPrivate = Habits.historyPrivate.value(in: section, else: general.historyPrivate, &source)
        systemMessages = Habits.systemMessages.value(in: section, else: general.systemMessages, &source)
        congested = Habits.congested.value(in: section, else: general.congested, &source)
        files = Habits.files.value(in: section, else: general.files, &source)
        reservedNicknames = Habits.reservedNicknames.value(in: section, else: general.reservedNicknames, &source)
    }

    /// Writes them into a room's configuration.
    func apply(to room: inout RoomConfiguration, slowMemberWait: Duration) {
        room.maximumMessageSize = maxMessageSize
        room.history = history
        room.keepsPrivateMessages = historyPrivate
        room.systemLines = systemMessages
        room.congestion =
            congested ?? .disconnect(afterSeconds: Int(slowMemberWait.components.seconds))
        room.files = files
        room.reservedNicknames = reservedNicknames
    }
}

extension Settings.Files {
    init(_ source: inout SettingsSource) {
        directory = source.value(Options.Files.directory)
        maxSize = source.value(Options.Files.maxSize)
        roomSize = source.value(Options.Files.roomSize)
        totalSize = source.value(Options.Files.totalSize)
        perRoom = source.value(Options.Files.perRoom)
        maxIncoming = source.value(Options.Files.maxIncoming)
        maxAge = source.value(Options.Files.maxAge)
    }
}
