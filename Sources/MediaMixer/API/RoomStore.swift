/// Where rooms are kept that outlive the process. Implementations are shared by all threads; what a method has saved
/// when it returns survives the end of the process.
package protocol RoomStore: Sendable {
    /// Static rooms made by `confd room add` (`configuration` set), and what people changed in any static room.
    func rooms() async throws -> [StoredRoom]
    /// Makes or replaces.
    func save(_ room: StoredRoom) async throws
    /// Forgets the room, its condition and its policy document.
    func remove(_ room: RoomAddress) async throws
    /// The room's pres-rules document (RFC 5025) in the `xcap` table; nil: it has none.
    func policy(of room: RoomAddress) async throws -> PolicyDocument?
    /// - Parameter document: nil removes it.
    func setPolicy(_ document: PolicyDocument?, of room: RoomAddress) async throws
    /// Removes documents of rooms made on demand that a process which did not end in order left behind.
    func removeLeftovers(keeping rooms: Set<RoomAddress>) async throws
}

package struct StoredRoom: Sendable, Equatable {
    package var address: RoomAddress
    /// Nil: the configuration file has it.
    package var configuration: RoomConfiguration?
    package var condition: RoomCondition

    package init(address: RoomAddress, configuration: RoomConfiguration? = nil, condition: RoomCondition = .init()) {
        self.address = address
        self.configuration = configuration
        self.condition = condition
    }
}

package struct PolicyDocument: Sendable, Equatable {
    /// XML, `application/auth-policy+xml`.
    package var content: [UInt8]
    package var etag: String

    package init(content: [UInt8], etag: String) {
        self.content = content
        self.etag = etag
    }
}
