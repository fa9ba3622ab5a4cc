internal import ArgumentParser
internal import Focus
internal import FoundationEssentials
internal import MediaMixer
internal import SIP

#if canImport(Glibc)
    internal import Glibc
#endif

/// What every command of `confd room` takes.
struct RoomOutputOptions: ParsableArguments {
    @Flag(help: "Print JSON, one line.")
    var json = false

    @OptionGroup var options: ConfigurationOptions
}

/// The room that a command is about.
struct RoomArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The room, such as lobby@example.com.", valueName: "room@domain"))
    var text: String

    func address() throws(RoomFailure) -> RoomAddress { try RoomNames.room(text) }
}

/// The one that a command is about.
struct RoomPersonArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("Who, such as alice@example.com.", valueName: "user@domain"))
    var text: String

    func account() throws(RoomFailure) -> String { try RoomNames.account(text) }
}

/// Names on the command line.
enum RoomNames {
    /// `lobby@example.com` or `sip:lobby@example.com`
    static func room(_ text: String) throws(RoomFailure) -> RoomAddress {
        let (user, domain) = try parts(text, "'\(text)' is no room; write room@domain, such as lobby@example.com")
        guard user.utf8.count <= RoomResolver.longestRoomName else {
            throw RoomFailure("the name is too long: at most \(RoomResolver.longestRoomName) bytes before the @")
        }
        return RoomAddress(user: user, domain: RoomResolver.normalized(domain))
    }

    /// `alice@example.com` or `sip:alice@example.com`, with the domain in lower case; or `tel:+14085551212`, for whom a
    /// trusted peer asserts so.
    static func account(_ text: String) throws(RoomFailure) -> String {
        if let number = telephone(text) { return number }
        let (user, domain) = try parts(text, "'\(text)' is nobody; write user@domain, such as alice@example.com")
        guard user != "*" else { throw RoomFailure("'\(text)' is a whole domain; name one person") }
        return "\(user)@\(domain)"
    }

    /// An account, or `*@example.com`.
    static func accountOrDomain(_ text: String) throws(RoomFailure) -> String {
        if let number = telephone(text) { return number }
        let (user, domain) = try parts(
            text, "'\(text)' is nobody; write user@domain, such as alice@example.com, or *@example.com for all")
        return "\(user)@\(domain)"
    }

    /// Accounts and domains; a blank text is nobody.
    static func people(_ text: String) throws(RoomFailure) -> [String] {
        var people: [String] = []
        for item in text.split(separator: ",") {
            let name = try accountOrDomain(String(item.trimmingBlanks()))
            if !people.contains(name) { people.append(name) }
        }
        return people
    }

    /// RFC 3966 section 3, without parameters.
    private static func telephone(_ text: String) -> String? {
        guard text.lowercased().hasPrefix("tel:") else { return nil }
        let number = text.dropFirst(4)
        guard !number.isEmpty, number.utf8.allSatisfy({ "+0123456789*#-.()ABCDabcd".utf8.contains($0) }) else {
            return nil
        }
        return "tel:\(number)"
    }

    private static func parts(_ text: String, _ problem: String) throws(RoomFailure) -> (user: String, domain: String) {
        let lower = text.lowercased()
        if lower.hasPrefix("sip:") || lower.hasPrefix("sips:") {
            guard let uri = SIPURI(text), let user = uri.user, isName(user), !uri.host.isEmpty else {
                throw RoomFailure(problem)
            }
            return (user, RoomResolver.normalized(uri.host))
        }
        guard let at = text.lastIndex(of: "@") else { throw RoomFailure(problem) }
        let user = String(text[..<at])
        let domain = String(text[text.index(after: at)...])
        let isDomain = !domain.isEmpty && domain.utf8.allSatisfy { $0 > 0x20 && $0 < 0x7F && $0 != UInt8(ascii: "/") }
        guard isName(user), isDomain else { throw RoomFailure(problem) }
        return (user, RoomResolver.normalized(domain))
    }

    private static func isName(_ user: String) -> Bool {
        !user.isEmpty && user.unicodeScalars.allSatisfy { $0.value >= 0x20 && $0.value != 0x7F && $0 != "@" }
    }
}

/// Texts that people will see.
enum RoomTexts {
    /// In UTF-8.
    static let longestLine = 1000
    static let longestText = 8000

    /// One line: a title, a subject, a reason.
    static func line(_ text: String?, _ what: String) throws(RoomFailure) -> String? {
        guard let text else { return nil }
        guard text.utf8.count <= longestLine else { throw RoomFailure("the \(what) has at most \(longestLine) bytes") }
        guard !text.unicodeScalars.contains(where: { $0.value < 0x20 || $0.value == 0x7F }) else {
            throw RoomFailure("the \(what) is one line, without control characters")
        }
        return text
    }

    /// Several lines.
    static func text(_ text: String?, _ what: String) throws(RoomFailure) -> String? {
        guard let text else { return nil }
        guard text.utf8.count <= longestText else { throw RoomFailure("the \(what) has at most \(longestText) bytes") }
        let isBad = { (scalar: Unicode.Scalar) in
            scalar.value < 0x20 && scalar != "\n" && scalar != "\t" || scalar.value == 0x7F
        }
        guard !text.unicodeScalars.contains(where: isBad) else {
            throw RoomFailure("the \(what) can't have control characters")
        }
        return text
    }

    static func keywords(_ text: String?) throws(RoomFailure) -> [String]? {
        try line(text, "list of keywords")?.split(separator: ",").map { String($0.trimmingBlanks()) }.filter {
            !$0.isEmpty
        }
    }
}

/// Moments on the command line, and shown: UTC, to the second.
enum RoomTimes {
    /// `2026-12-24T18:00:00Z`
    static func text(_ seconds: Int64) -> String {
        var time = time_t(seconds)
        var parts = tm()
        guard gmtime_r(&time, &parts) != nil else { return "\(seconds)" }
        func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
        return "\(Int(parts.tm_year) + 1900)-\(two(parts.tm_mon + 1))-\(two(parts.tm_mday))"
            + "T\(two(parts.tm_hour)):\(two(parts.tm_min)):\(two(parts.tm_sec))Z"
    }

    /// `2026-12-24`, `2026-12-24T18:00` or `2026-12-24T18:00:00Z`, all of them UTC.
    static func moment(_ text: String) throws(RoomFailure) -> Int64 {
        let problem = RoomFailure("'\(text)' is no moment; write it as 2026-12-24T18:00Z (UTC), or say --for '2 h'")
        let halves = (text.hasSuffix("Z") ? text.dropLast() : text[...]).split(
            separator: "T", omittingEmptySubsequences: false)
        guard let date = halves.first.flatMap({ numbers($0, "-") }), date.count == 3, halves.count <= 2 else {
            throw problem
        }
        var clock: [Int32] = []
        if halves.count == 2 {
            guard let given = numbers(halves[1], ":"), 2...3 ~= given.count else { throw problem }
            clock = given
        }
        clock += [0, 0, 0].dropFirst(clock.count)
        var parts = tm()
        (parts.tm_year, parts.tm_mon, parts.tm_mday) = (date[0] - 1900, date[1] - 1, date[2])
        (parts.tm_hour, parts.tm_min, parts.tm_sec) = (clock[0], clock[1], clock[2])
        let seconds = Int64(timegm(&parts))
        // A 31st of November has become another day.
        guard parts.tm_mon == date[1] - 1, parts.tm_mday == date[2], parts.tm_hour == clock[0],
            parts.tm_min == clock[1], parts.tm_sec == clock[2]
        else { throw problem }
        return seconds
    }

    /// `2h` ago, or a moment as RFC 3339 has it (or shorter, as `moment` takes it), in milliseconds since 1970.
    static func instant(_ text: String, now: Int64) throws(RoomFailure) -> Int64 {
        if let seconds = try? duration(text) { return now - seconds * 1000 }
        let problem = RoomFailure(
            "'\(text)' is no moment; write 2026-12-24T18:00:00Z, or 2h or 3d for how long ago it is")
        var rest = text.uppercased()[...]
        var offset: Int64 = 0
        if rest.utf8.count > 6, rest.contains("T"), let sign = rest.dropLast(5).last, sign == "+" || sign == "-" {
            guard let parts = numbers(rest.suffix(5), ":"), parts.count == 2, parts[0] < 24, parts[1] < 60 else {
                throw problem
            }
            offset = Int64(parts[0] * 60 + parts[1]) * (sign == "+" ? 60 : -60)
            rest = rest.dropLast(6)
        } else if rest.hasSuffix("Z") {
            rest = rest.dropLast()
        }
        var fraction: Int64 = 0
        if let point = rest.firstIndex(of: ".") {
            let digits = rest[rest.index(after: point)...]
            guard !digits.isEmpty, digits.utf8.allSatisfy({ 0x30...0x39 ~= $0 }) else { throw problem }
            fraction = Int64((digits + "00").prefix(3)) ?? 0
            rest = rest[..<point]
        }
        guard let seconds = try? moment(String(rest)) else { throw problem }
        return (seconds - offset) * 1000 + fraction
    }

    private static func numbers(_ text: Substring, _ separator: Character) -> [Int32]? {
        var numbers: [Int32] = []
        for part in text.split(separator: separator, omittingEmptySubsequences: false) {
            guard 1...4 ~= part.utf8.count, part.utf8.allSatisfy({ 0x30...0x39 ~= $0 }), let number = Int32(part) else {
                return nil
            }
            numbers.append(number)
        }
        return numbers
    }

    /// `30 min`, `2 h`, `7 d`, in seconds.
    static func duration(_ text: String) throws(RoomFailure) -> Int64 {
        let bare = text.filter { $0 != " " }
        let number = bare.prefix { $0.isASCII && $0.isNumber }
        let factors: [String: Int64] = ["s": 1, "min": 60, "m": 60, "h": 3600, "d": 86_400]
        guard let count = Int64(number), count > 0, let factor = factors[bare.dropFirst(number.count).lowercased()],
            count <= 36_500 * 86_400 / factor
        else { throw RoomFailure("'\(text)' is no duration; write a number with s, min, h or d: '2 h'") }
        return count * factor
    }
}

extension RoomConfiguration.Group: ExpressibleByArgument {}
extension RoomConfiguration.Subscribers: ExpressibleByArgument {}
extension RoomConfiguration.DialOut: ExpressibleByArgument {}
extension RoomConfiguration.SystemLines: ExpressibleByArgument {}
extension RoomConfiguration.Files: ExpressibleByArgument {}
extension DialOutFallback: ExpressibleByArgument, Codable {}

/// What `confd room add` and `confd room set` say about a room.
struct RoomSettingOptions: ParsableArguments {
    @ArgumentParser.Option(help: "Shown to people.")
    var title: String?

    @ArgumentParser.Option(help: "What the talk is about just now.")
    var subject: String?

    @ArgumentParser.Option(help: "More about the room.")
    var freeText: String?

    @ArgumentParser.Option(help: "With commas.")
    var keywords: String?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "The greeting for everybody who comes in. Empty: only clients that know no chat rooms are told that this is "
                + "one. 'none': nobody is greeted.", valueName: "text"))
    var welcome: String?

    @ArgumentParser.Option(help: ArgumentHelp("The most participants; 0: as many as the server takes.", valueName: "n"))
    var maxParticipants: Int?

    @ArgumentParser.Option(help: ArgumentHelp("Who may come in.", valueName: "group"))
    var join: RoomConfiguration.Group?

    @ArgumentParser.Option(help: ArgumentHelp("Who may say something.", valueName: "group"))
    var speak: RoomConfiguration.Group?

    @ArgumentParser.Option(help: ArgumentHelp("Who may have others called.", valueName: "group"))
    var invite: RoomConfiguration.Group?

    @ArgumentParser.Option(
        help: ArgumentHelp("Who may remove, mute and ban others and lock the room.", valueName: "group"))
    var remove: RoomConfiguration.Group?

    @ArgumentParser.Option(help: ArgumentHelp("Who may change title and subject.", valueName: "group"))
    var describe: RoomConfiguration.Group?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Who beside those inside may see who is there: participants (nobody), policy ('confd room policy') or all.",
            valueName: "who"))
    var subscribe: RoomConfiguration.Subscribers?

    @ArgumentParser.Option(
        help: ArgumentHelp("Whom the group 'listed' means: user@domain or *@domain, with commas.", valueName: "people"))
    var listed: String?

    @ArgumentParser.Option(help: ArgumentHelp("user@domain, with commas; empty: nobody.", valueName: "people"))
    var owners: String?

    @ArgumentParser.Option(help: ArgumentHelp("user@domain, with commas; empty: nobody.", valueName: "people"))
    var moderators: String?

    @ArgumentParser.Option(help: ArgumentHelp("Who may read only: user@domain, with commas.", valueName: "people"))
    var observers: String?

    @ArgumentParser.Option(
        help: ArgumentHelp("How people are called into the room: refer or invite.", valueName: "way"))
    var dialOut: RoomConfiguration.DialOut?

    @ArgumentParser.Option(
        help: ArgumentHelp("What follows for a client that doesn't do REFER: invite or none.", valueName: "way"))
    var dialOutFallback: DialOutFallback?

    @ArgumentParser.Option(
        help: ArgumentHelp("The largest message, such as '64 KiB'; 0: as the server has it.", valueName: "size"))
    var maxMessageSize: String?

    @ArgumentParser.Option(
        help: ArgumentHelp("What newcomers are told of what was said: none, 'last 20', '7 days'.", valueName: "what"))
    var history: String?

    @ArgumentParser.Option(
        help: ArgumentHelp("Whom the room tells who comes and leaves: none, unsubscribed or all.", valueName: "whom"))
    var systemMessages: RoomConfiguration.SystemLines?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "What becomes of participants who take less than is said: drop, or 'disconnect after 5 s'.",
            valueName: "what"))
    var congested: String?

    @ArgumentParser.Option(
        help: ArgumentHelp("What becomes of files sent to the room: none, announced or pushed.", valueName: "what"))
    var files: RoomConfiguration.Files?

    @ArgumentParser.Option(help: ArgumentHelp("Nicknames nobody gets, with commas.", valueName: "names"))
    var reservedNicknames: String?

    @Flag(inversion: .prefixedNo, help: "Whether private messages are kept in the history, for their two ends.")
    var historyPrivate: Bool?

    @Flag(inversion: .prefixedNo, help: "Whether clients without message/cpim may come in.")
    var plainText: Bool?

    @Flag(inversion: .prefixedNo, help: "Whether people may write to one another alone.")
    var privateMessages: Bool?

    @Flag(inversion: .prefixedNo, help: "Whether people may choose a nickname.")
    var nicknames: Bool?

    @Flag(inversion: .prefixedNo, help: "Whether callers who hide their name may come in.")
    var anonymous: Bool?

    func change() throws(RoomFailure) -> RoomChange {
        var change = RoomChange()
        change.words.title = try RoomTexts.line(title, "title")
        change.words.subject = try RoomTexts.line(subject, "subject")
        change.words.freeText = try RoomTexts.text(freeText, "text")
        change.words.keywords = try RoomTexts.keywords(keywords)
        change.rules.welcome = try RoomTexts.text(welcome, "welcome").map(Self.welcome)
        if let maxParticipants {
            guard maxParticipants >= 0 else { throw RoomFailure("--max-participants can't be negative") }
            change.rules.maximumMembers = maxParticipants
        }
        change.rules.allowsPlainText = plainText
        change.rules.allowsPrivateMessages = privateMessages
        change.rules.allowsNicknames = nicknames
        change.rules.allowsAnonymous = anonymous
        change.rules.join = join
        change.rules.speak = speak
        change.rules.invite = invite
        change.rules.remove = remove
        change.rules.describe = describe
        change.rules.subscribe = subscribe
        change.rules.listed = try listed.map { text throws(RoomFailure) in try RoomNames.people(text) }
        change.rules.owners = try owners.map { text throws(RoomFailure) in try RoomNames.people(text) }
        change.rules.moderators = try moderators.map { text throws(RoomFailure) in try RoomNames.people(text) }
        change.rules.observers = try observers.map { text throws(RoomFailure) in try RoomNames.people(text) }
        change.rules.dialOut = dialOut
        change.rules.dialOutFallback = dialOutFallback
        try habits(&change.rules)
        return change
    }

    private func habits(_ rules: inout RoomChange.Rules) throws(RoomFailure) {
        if let maxMessageSize {
            let context = ValueContext(folder: "", isReadable: { _ in false })
            do {
                rules.maximumMessageSize = try Values.size(0...(1 << 30))(maxMessageSize[...], context)
            } catch {
                throw RoomFailure("--max-message-size: \(error.text)")
            }
        }
        if let history {
            guard let value = RoomConfiguration.History(text: history) else {
                throw RoomFailure("--history: '\(history)' is not none, 'last 20' or '7 days'")
            }
            rules.history = value
        }
        if let congested {
            guard let value = RoomConfiguration.Congestion(text: congested) else {
                throw RoomFailure("--congested: '\(congested)' is not drop or 'disconnect after 5 s'")
            }
            rules.congestion = value
        }
        rules.keepsPrivateMessages = historyPrivate
        rules.systemLines = systemMessages
        rules.files = files
        rules.reservedNicknames = reservedNicknames.map { text in
            text.split(separator: ",").map { String($0.trimmingBlanks()) }.filter { !$0.isEmpty }
        }
    }

    private static func welcome(_ text: String) -> RoomConfiguration.Welcome {
        switch text {
        case "": .clientsUnawareOfChatRooms(text: nil)
        case "none": .nobody
        default: .everybody(text: text)
        }
    }
}
