import Payloads

/// A line that the room itself says, and what it is about: `confd.Event` in the namespace `urn:x-confd:room`.
package struct RoomLine: Equatable, Sendable {
    package enum Event: String, Sendable {
        case welcome, joined, left, subject, nickname, file, congestion, history
    }

    static let namespace = "urn:x-confd:room"

    /// Nil for one that this program doesn't know yet.
    package var event: Event?
    /// With `file`, when it can be read.
    package var file: RoomFile?

    /// Nil for a message without the header; whether it is from the room is for the caller to see.
    init?(_ message: CPIMMessage) {
        guard let prefix = Self.prefix(in: message), let event = message.value("\(prefix).Event") else { return nil }
        self.event = Event(rawValue: event.trimmedBlanks.lowercased())
        let name = "\(prefix).File"
        if let header = message.headers.first(where: { message.head[$0.name].elementsEqual(name.utf8) }) {
            file = RoomFile(parsing: message.head[header.value])
        }
    }

    /// What the namespace is called here (RFC 3862 section 3.4): `NS: confd <urn:x-confd:room>`.
    private static func prefix(in message: CPIMMessage) -> String? {
        for header in message.headers where header.core == .namespace {
            let value = String(decoding: message.head[header.value], as: UTF8.self)
            guard let open = value.firstIndex(of: "<"),
                value[open...].dropFirst().prefix(while: { $0 != ">" }) == namespace
            else { continue }
            let prefix = value[..<open].trimmedBlanks
            return prefix.isEmpty ? nil : prefix
        }
        return nil
    }
}
