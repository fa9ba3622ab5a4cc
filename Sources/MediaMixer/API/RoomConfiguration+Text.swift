// How these settings are written: in the configuration file, in the database and on the command line.

extension RoomConfiguration.History {
    /// `none`, `last 20` or `7 days`; nil for anything else.
    package init?(text: String) {
        let words = text.lowercased().split(separator: " ")
        switch (words.count, words.first, words.last) {
        case (1, "none"?, _): self = .none
        case (2, "last"?, let number?):
            guard let count = Int(number), (1...Self.mostMessages).contains(count) else { return nil }
            self = .last(count)
        case (2, let number?, "days"?), (2, let number?, "day"?):
            guard let count = Int(number), (1...Self.mostDays).contains(count) else { return nil }
            self = .days(count)
        default: return nil
        }
    }

    package var text: String {
        switch self {
        case .none: "none"
        case .last(let count): "last \(count)"
        case .days(let count): "\(count) \(count == 1 ? "day" : "days")"
        }
    }

    package static let mostMessages = 10_000
    package static let mostDays = 36_500
}

extension RoomConfiguration.Congestion {
    /// `drop`, `disconnect` or `disconnect after 30 s`; nil for anything else.
    package init?(text: String) {
        var words = text.lowercased().split(separator: " ")
        if words.last == "s" { words.removeLast() }
        switch words.count {
        case 1 where words[0] == "drop": self = .drop
        case 1 where words[0] == "disconnect": self = .disconnect(afterSeconds: Self.usualSeconds)
        case 3 where words[0] == "disconnect" && words[1] == "after":
            guard let seconds = Int(words[2].hasSuffix("s") ? words[2].dropLast() : words[2]),
                (0...Self.mostSeconds).contains(seconds)
            else { return nil }
            self = .disconnect(afterSeconds: seconds)
        default: return nil
        }
    }

    package var text: String {
        switch self {
        case .drop: "drop"
        case .disconnect(let seconds): "disconnect after \(seconds) s"
        }
    }

    package static let usualSeconds = 5
    package static let mostSeconds = 3600
}
