/// A moment as mail writes it, `Mon, 15 May 2006 15:01:31 +0300` (RFC 5322 section 3.3), with a numeric zone.
package struct MailDate: Sendable, Hashable {
    /// Since 1970-01-01T00:00:00Z.
    package var seconds: Int64
    /// Minutes east of UTC.
    package var zone: Int

    /// Moments outside of the years 1 to 9999 are brought there, zones outside of a day to 0.
    package init(seconds: Int64, zone: Int = 0) {
        self.seconds = min(max(seconds, -62_135_510_400), 253_402_214_400)
        self.zone = abs(zone) < 24 * 60 ? zone : 0
    }

    /// Nil for what is no such date. The day of the week is not looked at.
    package init?(parsing text: String) {
        var words = ASCII.words(text.utf8)
        if let first = words.first, first.utf8.last == UInt8(ascii: ",") { words.removeFirst() }
        guard words.count == 5, let day = ASCII.decimal(words[0].utf8), words[0].utf8.count <= 2,
            let month = Self.months.firstIndex(where: { ASCII.equalIgnoringCase($0, words[1]) }),
            words[2].utf8.count == 4, let year = ASCII.decimal(words[2].utf8),
            let zone = Self.zone(words[4])
        else { return nil }
        let clock = words[3].utf8.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard clock.count == 2 || clock.count == 3, clock.allSatisfy({ $0.count == 2 }) else { return nil }
        let numbers = clock.compactMap { ASCII.decimal($0) }
        guard numbers.count == clock.count, day > 0,
            // The leap second is the one before.
            let local = InternetDateTime.seconds(
                year: Int(year), month: month + 1, day: Int(day), hour: Int(numbers[0]), minute: Int(numbers[1]),
                second: numbers.count == 3 ? min(Int(numbers[2]), 59) : 0)
        else { return nil }
        self.init(seconds: local - Int64(zone * 60), zone: zone)
    }

    package var value: String {
        let local = seconds + Int64(zone * 60)
        let (year, month, day) = InternetDateTime.date(of: local)
        let weekday = Self.weekdays[Int(((local - InternetDateTime.second(of: local)) / 86_400 % 7 + 11) % 7)]
        let second = Int(InternetDateTime.second(of: local))
        let sign = zone < 0 ? "-" : "+"
        return "\(weekday), \(two(day)) \(Self.months[month - 1]) \(four(year)) "
            + "\(two(second / 3600)):\(two(second / 60 % 60)):\(two(second % 60)) "
            + "\(sign)\(two(abs(zone) / 60))\(two(abs(zone) % 60))"
    }

    /// `+HHMM`; UT, GMT and UTC as old mail has them.
    private static func zone(_ text: String) -> Int? {
        if ["UT", "GMT", "UTC", "Z"].contains(where: { ASCII.equalIgnoringCase($0, text) }) { return 0 }
        let octets = Array(text.utf8)
        guard octets.count == 5, octets[0] == UInt8(ascii: "+") || octets[0] == UInt8(ascii: "-"),
            let hours = ASCII.decimal(octets[1..<3]), let minutes = ASCII.decimal(octets[3...]), hours < 24,
            minutes < 60
        else { return nil }
        let zone = Int(hours * 60 + minutes)
        return octets[0] == UInt8(ascii: "-") ? -zone : zone
    }

    private func two(_ number: Int) -> String { number < 10 ? "0\(number)" : "\(number)" }

    private func four(_ number: Int) -> String {
        String(repeating: "0", count: max(0, 4 - "\(number)".utf8.count)) + "\(number)"
    }

    private static let months = [
        "Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec",
    ]
    /// 1970-01-01 was a Thursday.
    private static let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
}
