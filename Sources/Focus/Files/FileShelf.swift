package import FileSpool

/// What the focus needs of the spool.
package protocol FileShelf: Sendable {
    var limits: SpoolLimits { get }
    /// Rooms with files, as `user@domain`.
    var rooms: [String] { get }
    /// Oldest first.
    func files(in room: String) -> [SpooledFile]
    func remove(_ id: String) async
    func removeRoom(_ room: String) async
    /// - Parameter now: seconds since 1970.
    /// - Returns: what was removed.
    func expire(now: Int64) async -> [SpooledFile]
}

extension FileSpool: FileShelf {}
