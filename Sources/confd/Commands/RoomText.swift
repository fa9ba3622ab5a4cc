internal import Focus
internal import MediaMixer
internal import Payloads

/// Rooms for people.
enum RoomText {
    static func list(_ rooms: [RoomSummary]) -> String {
        guard !rooms.isEmpty else { return "" }
        let rows =
            [["room", "kind", "people", "locked", "title"]]
            + rooms.map { room in
                [
                    "\(room.address)", room.kind.rawValue, "\(room.participants)", room.isLocked ? "locked" : "-",
                    room.title,
                ]
            }
        return lines(table(rows, right: [2]))
    }

    static func details(_ room: RoomDetails) -> String {
        let (settings, condition) = (room.configuration, room.condition)
        var result = ["\(printable(settings.address.description)), \(origin(room))"]
        var rows = [["title", condition.title ?? settings.title]]
        if let subject = condition.subject { rows.append(["subject", subject]) }
        if let text = condition.freeText { rows.append(["text", text]) }
        if !condition.keywords.isEmpty { rows.append(["keywords", condition.keywords.joined(separator: ", ")]) }
        rows.append(["locked", yes(condition.isLocked)])
        rows.append(["participants", "\(room.participants.count)\(settings.maximumMembers.map { " of \($0)" } ?? "")"])
        rows.append(["welcome", welcome(settings.welcome)])
        rows.append(["plain text", yes(settings.allowsPlainText)])
        rows.append(["private messages", yes(settings.allowsPrivateMessages)])
        rows.append(["nicknames", yes(settings.allowsNicknames)])
        rows.append(["anonymous callers", yes(settings.allowsAnonymous)])
        rows.append(["history", settings.history.text + (settings.keepsPrivateMessages ? ", private ones too" : "")])
        rows.append(["system messages", settings.systemLines.rawValue])
        rows.append(["congested", settings.congestion.text])
        rows.append(["files", settings.files.rawValue])
        if let size = settings.maximumMessageSize { rows.append(["largest message", Values.printSize(size)]) }
        if !settings.reservedNicknames.isEmpty {
            rows.append(["reserved nicknames", settings.reservedNicknames.joined(separator: ", ")])
        }
        let fallback = settings.dialOutFallback.map(\.rawValue) ?? "none"
        rows.append(["dial out", "\(settings.dialOut.rawValue), else \(fallback)"])
        if !room.kind.isStatic { rows.append(["ends", settings.ends.rawValue]) }
        result += table(rows).map { "  \($0)" }
        result += ["", "who may"]
        result += table([
            ["join", settings.join.rawValue], ["speak", settings.speak.rawValue],
            ["have others called", settings.invite.rawValue], ["remove others", settings.remove.rawValue],
            ["change title and subject", settings.describe.rawValue],
            ["see who is there", settings.subscribe.rawValue],
        ]).map { "  \($0)" }
        result += people(settings, condition)
        if !room.participants.isEmpty {
            result += ["", "participants"]
            result += table(
                [["address", "name", "nickname", "role", "muted", "device"]]
                    + room.participants.map {
                        [
                            $0.uri, $0.displayName ?? "-", $0.nickname ?? "-", $0.role.rawValue,
                            $0.isMuted ? "muted" : "-", $0.contact ?? "-",
                        ]
                    }
            ).map { "  \($0)" }
        }
        return lines(result)
    }

    static func policy(_ rules: PresenceRules?) -> String {
        guard let rules else { return "There is no document: only those inside see who is there.\n" }
        let rows = rules.rules.map { rule -> [String] in
            let parts = RoomPolicyRule(rule)
            var who = parts.who.joined(separator: ", ")
            if !parts.except.isEmpty { who += " except \(parts.except.joined(separator: ", "))" }
            if !parts.when.isEmpty { who += "; \(parts.when.joined(separator: ", "))" }
            return [rule.handling?.rawValue ?? "-", who]
        }
        let isForAll = rules.rules.contains { $0.conditions.isEmpty }
        return lines(table([["then", "who"]] + rows + (isForAll ? [] : [["block", "all others"]])))
    }

    // MARK: Parts

    private static func origin(_ room: RoomDetails) -> String {
        let maker = room.maker.map { " by \(printable($0))" } ?? ""
        return switch room.kind {
        case .file: "in the configuration file"
        case .stored: "made by 'confd room add'"
        case .adhoc: "made by a call\(maker)"
        case .factory: "made by the conference factory\(maker.isEmpty ? "" : " for" + maker.dropFirst(3))"
        }
    }

    private static func people(_ settings: RoomConfiguration, _ condition: RoomCondition) -> [String] {
        var rows: [[String]] = []
        if !settings.listed.isEmpty { rows.append(["listed", settings.listed.joined(separator: ", ")]) }
        for role in RoomCondition.Role.allCases.reversed() {
            let people = people(of: role, settings, condition)
            if !people.isEmpty { rows.append([role.rawValue, people.joined(separator: ", ")]) }
        }
        if !condition.muted.isEmpty { rows.append(["muted", condition.muted.sorted().joined(separator: ", ")]) }
        for ban in condition.bans {
            let end = ban.until.map { " until \(RoomTimes.text($0))" } ?? ""
            rows.append(["banned", "\(ban.account)\(end)\(ban.reason.map { " (\($0))" } ?? "")"])
        }
        return rows.isEmpty ? [] : ["", "people"] + table(rows).map { "  \($0)" }
    }

    /// Who has a role, of the settings or given later.
    static func people(
        of role: RoomCondition.Role, _ settings: RoomConfiguration, _ condition: RoomCondition
    ) -> [String] {
        let listed =
            switch role {
            case .owner: settings.owners
            case .moderator: settings.moderators
            case .observer: settings.observers
            case .participant: [String]()
            }
        let given = condition.roles.filter { $0.value == role }.map(\.key).sorted()
        return listed.filter { condition.roles[$0] == nil } + given
    }

    private static func welcome(_ welcome: RoomConfiguration.Welcome) -> String {
        switch welcome {
        case .nobody: "none"
        case .clientsUnawareOfChatRooms: "for clients that know no chat rooms"
        case .everybody(let text): text
        }
    }

    private static func yes(_ value: Bool) -> String { value ? "yes" : "no" }

    // MARK: Tables

    private static func lines(_ lines: [String]) -> String { lines.map { "\($0)\n" }.joined() }

    /// Columns two blanks apart; what people wrote can't steer the terminal.
    static func table(_ rows: [[String]], right: Set<Int> = []) -> [String] {
        let rows = rows.map { $0.map(printable) }
        let columns = rows.map(\.count).max() ?? 0
        let widths = (0..<columns).map { column in rows.map { $0.count > column ? $0[column].count : 0 }.max() ?? 0 }
        return rows.map { row in
            var line = ""
            for (column, cell) in row.enumerated() {
                let padding = String(repeating: " ", count: widths[column] - cell.count)
                let isLast = column == row.count - 1
                line += right.contains(column) ? padding + cell : isLast ? cell : cell + padding
                if !isLast { line += "  " }
            }
            return line
        }
    }

    static func printable(_ text: String) -> String {
        let isControl = { (scalar: Unicode.Scalar) in
            scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) || (0x202A...0x202E).contains(scalar.value)
                || (0x2066...0x2069).contains(scalar.value)
        }
        return String(String.UnicodeScalarView(text.unicodeScalars.map { isControl($0) ? "?" : $0 }))
    }
}

/// A rule of a policy document in the words of `confd room policy`.
struct RoomPolicyRule {
    var who: [String] = []
    var except: [String] = []
    var when: [String] = []

    init(_ rule: PresenceRules.Rule) {
        for condition in rule.conditions {
            switch condition {
            case .identity(let identities):
                for identity in identities {
                    switch identity {
                    case .one(let id): who.append(Self.bare(id))
                    case .many(let domain, let ids, let domains):
                        who.append(domain.map { "*@\($0)" } ?? "everyone with an identity")
                        except += ids.map(Self.bare) + domains.map { "*@\($0)" }
                    }
                }
            case .validity(let periods):
                when += periods.map { "from \(RoomTimes.text($0.from)) until \(RoomTimes.text($0.until))" }
            case .unmet: when.append("never (a condition that is not known here)")
            }
        }
        if who.isEmpty { who = ["everyone"] }
    }

    private static func bare(_ id: String) -> String {
        id.lowercased().hasPrefix("sip:") ? String(id.dropFirst(4)) : id
    }
}
