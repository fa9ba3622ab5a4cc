/// How far a transfer is, how fast it goes, and how a terminal shows that. Pure: time is an argument.
package struct TransferProgress: Sendable {
    /// Over this much of the past the rate is taken, seconds.
    private static let span = 5.0
    /// Between two samples, seconds.
    private static let step = 0.25

    package let name: String
    /// Octets; nil when the sender doesn't say.
    package let total: UInt64?
    /// Octets that were there when it began.
    package let start: UInt64
    package private(set) var done: UInt64
    private var samples: [(time: Double, done: UInt64)]

    /// - Parameter now: seconds on a clock that never goes back.
    package init(name: String, total: UInt64?, start: UInt64, now: Double) {
        self.name = name
        self.total = total
        self.start = start
        done = start
        samples = [(now, start)]
    }

    package mutating func update(_ done: UInt64, now: Double) {
        self.done = done
        if let last = samples.last, samples.count > 1, now - last.time < Self.step {
            samples[samples.count - 1].done = done
            return
        }
        samples.append((now, done))
        while samples.count > 2, samples[1].time < now - Self.span { samples.removeFirst() }
    }

    /// Octets a second over the last seconds.
    package func rate(now: Double) -> Double {
        guard let first = samples.first, now > first.time, done > first.done else { return 0 }
        return Double(done - first.done) / (now - first.time)
    }

    /// Seconds until it is done, at the rate of the last seconds.
    package func timeLeft(now: Double) -> Double? {
        let rate = rate(now: now)
        guard let total, rate > 0, total >= done else { return nil }
        return Double(total - done) / rate
    }

    /// One line for a terminal of that many columns, without a line end.
    package func line(now: Double, columns: Int) -> String {
        let rate = rate(now: now)
        var text = Self.bytes(done)
        if let total { text += " of \(Self.bytes(total))" }
        text += rate > 0 ? "  \(Self.bytes(UInt64(rate)))/s" : "  stalled"
        if let left = timeLeft(now: now) { text += "  \(Self.duration(left)) left" }
        guard let total else { return Self.cut("\(name)  \(text)", columns) }
        let part = total == 0 ? 1 : min(Double(done) / Double(total), 1)
        let percent = "\(Int(part * 100))%"
        let head = String(repeating: " ", count: max(0, 4 - percent.count)) + percent
        let room = columns - text.count - head.count - name.count - 8
        guard room >= 10 else { return Self.cut("\(head)  \(text)  \(name)", columns) }
        let width = min(room, 40)
        let filled = Int(part * Double(width))
        return "\(name)  [\(String(repeating: "#", count: filled))\(String(repeating: ".", count: width - filled))]"
            + "\(head)  \(text)"
    }

    private static func cut(_ text: String, _ columns: Int) -> String { String(text.prefix(max(columns - 1, 10))) }

    /// `12.3 MB in 0:07, 1.8 MB/s`
    package static func summary(_ count: UInt64, seconds: Double) -> String {
        let seconds = max(seconds, 0.001)
        return "\(bytes(count)) in \(duration(seconds)), \(bytes(UInt64(Double(count) / seconds)))/s"
    }

    /// `12.3 MB`; powers of ten.
    package static func bytes(_ count: UInt64) -> String {
        guard count >= 1000 else { return "\(count) B" }
        var value = Double(count) / 1000
        for unit in ["kB", "MB", "GB"] {
            if value < 999.95 { return "\(tenths(value)) \(unit)" }
            value /= 1000
        }
        return "\(tenths(value)) TB"
    }

    /// `0:07`, `1:02:03`.
    package static func duration(_ seconds: Double) -> String {
        let whole = Int(min(max(seconds.rounded(), 0), 359_999))
        func two(_ value: Int) -> String { value < 10 ? "0\(value)" : "\(value)" }
        let (hours, minutes) = (whole / 3600, whole / 60 % 60)
        return hours > 0 ? "\(hours):\(two(minutes)):\(two(whole % 60))" : "\(minutes):\(two(whole % 60))"
    }

    private static func tenths(_ value: Double) -> String {
        let number = Int((value * 10).rounded())
        return "\(number / 10).\(number % 10)"
    }
}
