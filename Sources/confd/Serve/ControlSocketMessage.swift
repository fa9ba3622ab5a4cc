internal import FoundationEssentials

/// What the commands and the running server say to each other through the control socket, a line of JSON each.
enum ControlMessage {
    /// The longest request: a policy document in base64, and what is around it.
    static let longestRequest = 512 << 10
    /// The longest answer that is read.
    static let longestAnswer = 64 << 20

    struct Request: Codable, Sendable, Equatable {
        /// `status` or `room`.
        var command: String
        /// Of `room`.
        var room: RoomOrder?

        static let status = Request(command: "status")

        static func room(_ order: RoomOrder) -> Request { Request(command: "room", room: order) }

        /// As it goes to the server.
        func line() throws -> [UInt8] {
            let encoder = JSONEncoder()
            // Base64 has many of them.
            encoder.outputFormatting = .withoutEscapingSlashes
            return Array(try encoder.encode(self)) + [UInt8(ascii: "\n")]
        }
    }

    struct Answer: Codable, Sendable, Equatable {
        /// Why there is none of the others.
        var error: String?
        var status: ServerStatus?
        var room: RoomAnswer?
    }

    /// Answers a request; called on any thread.
    typealias Handler = @Sendable (Request) async -> Answer
}
