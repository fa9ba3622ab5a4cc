/// RFC 3339 timestamps in UTC, as CPIM's DateTime wants them (RFC 3862 section 4.4), without a calendar library.
package enum InternetDateTime {
    /// - Parameters:
    ///   - seconds: since 1970-01-01T00:00:00Z.
    ///   - milliseconds: 0 to 999.
    /// - Returns: "2026-11-21T00:18:48.569Z"; years outside 0...9999 are clamped to them.
    package static func format(seconds: Int64, milliseconds: Int = 0) -> String {
        let last: Int64 = 253_402_300_799  // 9999-12-31T23:59:59Z
        let first: Int64 = -62_167_219_200  // 0000-01-01T00:00:00Z
        let time = min(max(seconds, first), last)
        let second = Int(second(of: time))
        let (year, month, dayOfMonth) = date(of: time)
        let fraction = min(max(milliseconds, 0), 999)
        return "\(padded(year, 4))-\(padded(month, 2))-\(padded(dayOfMonth, 2))T"
            + "\(padded(second / 3600, 2)):\(padded(second / 60 % 60, 2)):\(padded(second % 60, 2))"
            + ".\(padded(fraction, 3))Z"
    }

    /// The second of its day, from 0.
    static func second(of time: Int64) -> Int64 {
        let rest = time % 86_400
        return rest < 0 ? rest + 86_400 : rest
    }

    /// The Gregorian date of a moment.
    static func date(of time: Int64) -> (year: Int, month: Int, day: Int) {
        civil((time - second(of: time)) / 86_400)
    }

    private static func padded(_ number: Int, _ width: Int) -> String {
        let digits = String(number)
        return String(repeating: "0", count: max(0, width - digits.utf8.count)) + digits
    }

    /// The Gregorian date of a day counted from 1970-01-01. Years begin in March here, so that the leap day is the last.
    private static func civil(_ day: Int64) -> (year: Int, month: Int, day: Int) {
        let shifted = Int(day) + 719_468
        let era = (shifted >= 0 ? shifted : shifted - 146_096) / 146_097
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1_460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let march = (5 * dayOfYear + 2) / 153
        let month = march < 10 ? march + 3 : march - 9
        return (yearOfEra + era * 400 + (month <= 2 ? 1 : 0), month, dayOfYear - (153 * march + 2) / 5 + 1)
    }
}
