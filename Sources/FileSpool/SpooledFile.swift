/// A file that was pushed into a room and is there whole: what people are told of it, and how it is found again.
package struct SpooledFile: Sendable, Hashable, Codable {
    /// Its name in the spool's folder; never reused.
    package let id: String
    /// `user@domain` of the room.
    package let room: String
    /// As people see it: a name without a path, without control characters, not empty (RFC 5547 section 11).
    package let name: String
    /// The media type its sender named; nil: it said none.
    package let type: String?
    /// Octets.
    package let size: Int
    package let sha1: [UInt8]
    package let sha256: [UInt8]
    /// The sender's URI as others in the room know it.
    package let sender: String
    package let senderName: String?
    /// Seconds since 1970 at which it was whole.
    package let received: Int64
    /// Seconds since 1970 after which it is removed; nil: with its room.
    package let expires: Int64?

    package init(
        id: String, room: String, name: String, type: String?, size: Int, sha1: [UInt8], sha256: [UInt8],
        sender: String, senderName: String?, received: Int64, expires: Int64?
    ) {
        self.id = id
        self.room = room
        self.name = name
        self.type = type
        self.size = size
        self.sha1 = sha1
        self.sha256 = sha256
        self.sender = sender
        self.senderName = senderName
        self.received = received
        self.expires = expires
    }
}

/// Which files are there, kept where it survives the process. What a method has changed when it returns is on the disk.
package protocol FileIndex: Sendable {
    /// All of them, oldest first.
    func files() async throws -> [SpooledFile]
    func add(_ file: SpooledFile) async throws
    /// Unknown ids are ignored.
    func remove(_ ids: [String]) async throws
}

/// What a spool takes; each of these is a named limit.
package struct SpoolLimits: Sendable, Equatable {
    /// Octets of one file.
    package var fileSize = 100 << 20
    /// Octets of the files of one room.
    package var roomBytes = 1 << 30
    /// Octets in all.
    package var totalBytes = 10 << 30
    /// Files of one room.
    package var filesPerRoom = 1000
    /// Files that are being received, in all.
    package var incoming = 64
    /// Seconds a file is kept; nil: as long as its room.
    package var age: Int64? = 7 * 24 * 3600

    package init() {}
}
