/// The files of the room, with numbers that stay theirs.
package struct RoomFiles: Sendable {
    package struct Entry: Equatable, Sendable {
        package var number: Int
        package var file: RoomFile
        /// When the room told of it, seconds since 1970; nil when it was there before us.
        package var told: Int64?
        /// The room has it no longer.
        package var isGone = false
    }

    /// Files that are remembered; the oldest are forgotten first.
    static let maximum = 1_000
    /// Seconds.
    static let settling: Int64 = 30

    package private(set) var entries: [Entry] = []
    private var last = 0

    package init() {}

    /// Those that can be had.
    package var present: [Entry] { entries.filter { !$0.isGone } }

    package subscript(number: Int) -> Entry? { entries.first { $0.number == number } }

    /// What the room told of.
    /// - Returns: the entry, and whether the room has told of it for the first time.
    @discardableResult
    package mutating func add(_ file: RoomFile, told: Int64?) -> (entry: Entry, isNew: Bool) {
        if let index = entries.firstIndex(where: { $0.file.isSame(as: file) }) {
            let isNew = entries[index].told == nil && told != nil
            entries[index].file.merge(file)
            entries[index].told = entries[index].told ?? told
            entries[index].isGone = false
            return (entries[index], isNew)
        }
        last += 1
        let entry = Entry(number: last, file: file, told: told)
        entries.append(entry)
        if entries.count > Self.maximum { entries.removeFirst() }
        return (entry, true)
    }

    /// All that the room has; what isn't among it is gone, unless the room has told of it just now: the two ways differ in
    /// speed.
    /// - Parameter now: seconds since 1970.
    package mutating func replace(_ files: [RoomFile], now: Int64) {
        for index in entries.indices {
            let isYoung = entries[index].told.map { now - $0 < Self.settling } ?? false
            entries[index].isGone = !isYoung && !files.contains { entries[index].file.isSame(as: $0) }
        }
        for file in files.prefix(Self.maximum) { add(file, told: nil) }
    }
}
