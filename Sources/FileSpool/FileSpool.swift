package import Logging

/// The files that people pushed into rooms (RFC 5547), in one folder, and which there are.
package final class FileSpool: Sendable {
    package let limits: SpoolLimits

    private init(limits: SpoolLimits) { self.limits = limits }

    /// Opens the folder, which is made with mode 0700 if need be, and makes it and the index agree: what only one of them has
    /// is removed.
    /// - Throws: `SpoolRefusal.disk`, or what the index throws.
    package static func open(
        directory: String, limits: SpoolLimits, index: any FileIndex, logger: Logger
    ) async throws -> FileSpool {
        FileSpool(limits: limits)
    }

    /// The files of a room (`user@domain`), oldest first.
    package func files(in room: String) -> [SpooledFile] { [] }

    /// Unknown ids are ignored. Who is receiving the file still gets all of it.
    package func remove(_ id: String) async {}

    /// Removes all files of a room; what is being received for it is not kept.
    package func removeRoom(_ room: String) async {}

    /// Removes what has expired.
    /// - Parameter now: seconds since 1970.
    /// - Returns: what was removed.
    package func expire(now: Int64) async -> [SpooledFile] { [] }
}
