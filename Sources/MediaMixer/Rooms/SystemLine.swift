import NIOCore
import Payloads

/// Something the room itself says: text from the room's URI to the room's URI, with the header `confd.Event` so that
/// clients can tell it from what people say. Nobody else can say such a thing, since From is checked.
struct SystemLine: Sendable {
    enum Event: String, Sendable {
        case welcome, joined, left, subject, nickname, file, congestion, history
    }

    /// Names the headers' meaning (RFC 3862 section 3.4).
    static let namespace = "confd <urn:x-confd:room>"

    let event: Event
    let text: String
    /// More headers, each `confd.Something`; values as CPIM has them.
    var headers: [(name: String, value: String)] = []

    /// As the room passes it on.
    func envelope(in room: RoomTerms, dateTime: String) -> Envelope {
        let address = CPIMAddress(displayName: room.title.isEmpty ? nil : room.title, uri: room.address.uri)
        let head = CPIMWrapper.head(
            from: address, to: [CPIMAddress(uri: room.address.uri)], dateTime: dateTime,
            contentType: "text/plain; charset=utf-8",
            adding: [("NS", Self.namespace), ("confd.Event", event.rawValue)] + headers)
        var cpim = ByteBuffer()
        cpim.reserveCapacity(head.count + text.utf8.count)
        cpim.writeBytes(head)
        cpim.writeString(text)
        return Envelope(cpim: cpim, contentType: "text/plain", contentStart: head.count, senderName: nil)
    }
}
