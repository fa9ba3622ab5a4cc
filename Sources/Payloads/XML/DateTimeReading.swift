extension InternetDateTime {
    /// The seconds since 1970 of a moment as RFC 3339 and XML's dateTime write it, with its zone; fractions are dropped.
    /// Nil for what is none: a moment without a zone is none, and neither is a leap second.
    package static func seconds(_ text: String) -> Int64? {
        var scanner = DateTimeScanner(Array(text.utf8))
        guard let year = scanner.number(4), scanner.skip("-"), let month = scanner.number(2), scanner.skip("-"),
            let day = scanner.number(2), scanner.skip("T") || scanner.skip("t"), let hour = scanner.number(2),
            scanner.skip(":"), let minute = scanner.number(2), scanner.skip(":"), let second = scanner.number(2),
            scanner.skipFraction(), let offset = scanner.zone(), scanner.isAtEnd
        else { return nil }
        return seconds(year: year, month: month, day: day, hour: hour, minute: minute, second: second).map {
            $0 - offset
        }
    }

    /// Nil for what is no date or no time of the day.
    static func seconds(year: Int, month: Int, day: Int, hour: Int, minute: Int, second: Int) -> Int64? {
        guard (1...12).contains(month), day >= 1, day <= days(in: month, year: year), hour < 24, minute < 60,
            second < 60
        else { return nil }
        return days(toYear: year, month: month, day: day) * 86_400 + Int64(hour * 3600 + minute * 60 + second)
    }

    private static func days(in month: Int, year: Int) -> Int {
        switch month {
        case 2: year % 4 == 0 && (year % 100 != 0 || year % 400 == 0) ? 29 : 28
        case 4, 6, 9, 11: 30
        default: 31
        }
    }

    /// Days since 1970-01-01 of a Gregorian date, years beginning in March.
    private static func days(toYear year: Int, month: Int, day: Int) -> Int64 {
        let shifted = month <= 2 ? year - 1 : year
        let era = (shifted >= 0 ? shifted : shifted - 399) / 400
        let yearOfEra = shifted - era * 400
        let dayOfYear = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1
        let dayOfEra = yearOfEra * 365 + yearOfEra / 4 - yearOfEra / 100 + dayOfYear
        return Int64(era * 146_097 + dayOfEra - 719_468)
    }
}

private struct DateTimeScanner {
    private let octets: [UInt8]
    private var position = 0

    init(_ octets: [UInt8]) {
        self.octets = octets
    }

    var isAtEnd: Bool { position == octets.count }

    mutating func number(_ width: Int) -> Int? {
        guard position + width <= octets.count,
            let value = ASCII.decimal(octets[position..<position + width])
        else { return nil }
        position += width
        return Int(value)
    }

    mutating func skip(_ character: Unicode.Scalar) -> Bool {
        guard position < octets.count, octets[position] == UInt8(ascii: character) else { return false }
        position += 1
        return true
    }

    /// False for a point without digits.
    mutating func skipFraction() -> Bool {
        guard skip(".") else { return true }
        let start = position
        while position < octets.count, ASCII.isDigit(octets[position]) { position += 1 }
        return position > start
    }

    /// Seconds east of UTC.
    mutating func zone() -> Int64? {
        if skip("Z") || skip("z") { return 0 }
        let isEast = skip("+")
        guard isEast || skip("-"), let hours = number(2), skip(":"), let minutes = number(2), hours <= 14, minutes < 60
        else { return nil }
        return Int64(hours * 3600 + minutes * 60) * (isEast ? 1 : -1)
    }
}
