import MSRP
import NIOCore
import Payloads

/// What one participant may say: judges a whole message by the rules of RFC 7701 section 6 and makes of it what the
/// room passes on. A value without clock or I/O.
struct ChatSessionState: Sendable {
    /// An end-to-end encryption query is for one partner, never for a room (seen from real clients).
    static let offTheRecord = Array("?OTR".utf8)

    let room: RoomAddress
    let uri: String
    var displayName: String?
    /// Others must not see any other URI than `uri` (Privacy: id, RFC 3323).
    let isAnonymous: Bool
    var format: PeerMedia.Format

    /// Hosts that name the room beside its domain.
    private let roomHosts: [String]
    /// A user part that names the room beside its own.
    private let calledName: String?
    private let identities: [ParticipantURI]
    /// The last From that was found right, as written, so that the usual message costs a comparison.
    private var lastFrom = ""
    /// The last To that was found to be the room.
    private var lastTo = ""

    enum Verdict: Equatable {
        case deliver(Envelope, Audience)
        /// Answered with 200 and not passed on.
        case drop
        case refuse(Status)
    }

    enum Audience: Equatable {
        /// Everybody but the sender's own session.
        case room
        /// A private message, to all sessions of this URI (RFC 7701 section 6.2).
        case participant(String)
    }

    init(
        room: RoomAddress, roomHosts: [String] = [], calledName: String? = nil, uri: String, aliases: [String],
        displayName: String?,
        isAnonymous: Bool = false, format: PeerMedia.Format
    ) {
        self.room = room
        self.roomHosts = roomHosts
        self.calledName = calledName
        self.uri = uri
        self.displayName = displayName
        self.isAnonymous = isAnonymous
        self.format = format
        identities = ([uri] + aliases).map { ParticipantURI($0) }
    }

    /// The content types its session takes; others get 415 (RFC 7701 section 6.3).
    var acceptTypes: AcceptTypes {
        switch format {
        case .cpim: AcceptTypes(["message/cpim"])
        case .plainText: AcceptTypes(["text/plain"])
        }
    }

    /// - Parameter dateTime: RFC 3339, for messages that are wrapped here.
    mutating func judge(body: ByteBuffer, contentType: String, dateTime: @autoclosure () -> String) -> Verdict {
        switch format {
        case .cpim: judgeCPIM(body)
        case .plainText: wrap(body, contentType: contentType, dateTime: dateTime())
        }
    }

    private mutating func judgeCPIM(_ body: ByteBuffer) -> Verdict {
        let parsed = body.withUnsafeReadableBytes { bytes in
            Result { () throws(CPIMError) in try CPIMMessage(parsing: bytes) }
        }
        guard case .success(let message) = parsed else { return .refuse(.badRequest) }
        guard owns(message.from.uri) else { return .refuse(.forbidden) }
        // More than one receiver is not offered (RFC 7701 section 6.1).
        guard message.to.count <= 1 else { return .refuse(.forbidden) }
        guard let to = message.to.first else { return .refuse(.badRequest) }
        let bodyStart = body.readerIndex + message.bodyOffset
        if Self.isOffTheRecord(body, at: bodyStart) { return .drop }
        let audience = isRoom(to.uri) ? Audience.room : .participant(to.uri)
        return .deliver(isAnonymous ? hidden(message, body) : envelope(message, body), audience)
    }

    private func envelope(_ message: CPIMMessage, _ body: ByteBuffer, shift: Int = 0) -> Envelope {
        Envelope(
            cpim: body, contentType: message.contentType?.essence ?? "text/plain",
            contentStart: message.bodyOffset + shift, senderName: displayName ?? uri)
    }

    /// From says what others may know, whatever the client wrote there.
    private func hidden(_ message: CPIMMessage, _ body: ByteBuffer) -> Envelope {
        let head = message.headers(replacing: [.from: [CPIMAddress(displayName: displayName, uri: uri).value]])
        let content = body.readableBytesView.dropFirst(message.contentOffset)
        var hidden = ByteBuffer()
        hidden.reserveCapacity(head.count + content.count)
        hidden.writeBytes(head)
        hidden.writeBytes(content)
        return envelope(message, hidden, shift: head.count - message.contentOffset)
    }

    private func wrap(_ body: ByteBuffer, contentType: String, dateTime: String) -> Verdict {
        if Self.isOffTheRecord(body, at: body.readerIndex) { return .drop }
        let envelope = Envelope(
            text: body, contentType: contentType, from: CPIMAddress(displayName: displayName, uri: uri),
            room: room, dateTime: dateTime)
        return .deliver(envelope, .room)
    }

    private mutating func owns(_ from: String) -> Bool {
        if from == lastFrom { return true }
        guard identities.contains(ParticipantURI(from)) else { return false }
        lastFrom = from
        return true
    }

    private mutating func isRoom(_ text: String) -> Bool {
        if text == lastTo { return true }
        let to = ParticipantURI(text)
        guard to.user == room.user || to.user == calledName else { return false }
        let host = to.host.hasPrefix("[") ? String(to.host.dropFirst().dropLast()) : to.host
        guard to.host == room.domain || host == room.domain || roomHosts.contains(host) else { return false }
        lastTo = text
        return true
    }

    private static func isOffTheRecord(_ body: ByteBuffer, at index: Int) -> Bool {
        body.getSlice(at: index, length: offTheRecord.count).map {
            $0.readableBytesView.elementsEqual(offTheRecord)
        } ?? false
    }
}
