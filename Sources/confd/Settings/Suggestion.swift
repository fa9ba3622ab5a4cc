/// Finds the name that was probably meant.
enum Suggestion {
    /// The nearest of `candidates`, or nil when none is near enough to be worth naming. Case does not count;
    /// a beginning or a larger part of a candidate's name means that name.
    static func nearest(to word: String, in candidates: [String]) -> String? {
        let word = word.lowercased()
        if word.count >= 3, let longer = candidates.first(where: { $0.lowercased().hasPrefix(word) }) { return longer }
        if word.count >= 4, let around = candidates.first(where: { $0.lowercased().contains(word) }) { return around }
        let scored = candidates.map { (name: $0, distance: distance(word, $0.lowercased())) }
        guard let best = scored.min(by: { $0.distance < $1.distance }) else { return nil }
        return best.distance <= max(2, word.count / 2) ? best.name : nil
    }

    /// The number of single-letter changes (insert, remove, replace, swap of neighbours) from one word to the other.
    static func distance(_ left: String, _ right: String) -> Int {
        let a = Array(left)
        let b = Array(right)
        if a.isEmpty { return b.count }
        if b.isEmpty { return a.count }
        var beforeLast = [Int](repeating: 0, count: b.count + 1)
        var last = Array(0...b.count)
        for i in 1...a.count {
            var row = [i] + [Int](repeating: 0, count: b.count)
            for j in 1...b.count {
                let same = a[i - 1] == b[j - 1]
                row[j] = Swift.min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (same ? 0 : 1))
                if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] {
                    row[j] = Swift.min(row[j], beforeLast[j - 2] + 1)
                }
            }
            beforeLast = last
            last = row
        }
        return last[b.count]
    }
}
