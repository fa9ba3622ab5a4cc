import MSRP
import NIOCore
import Payloads

/// What one participant may say: judges a message by the rules of RFC 7701 section 6, for which its CPIM head is
/// enough, and makes of it what the room passes on. A value without clock or I/O.
struct ChatSessionState: Sendable {
    /// An end-to-end encryption query is for one partner, never for a room (seen from real clients). In a private
    /// message it reaches that partner.
    static let offTheRecord = Array("?OTR".utf8)

    let room: RoomAddress
    let uri: String
    var displayName: String?
    /// Comes before the display name where participants without CPIM are shown who speaks (RFC 7701 section 7).
    var nickname: String?
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

    /// What is known of a message as soon as its head is there.
    enum HeadVerdict: Equatable {
        /// More octets are needed.
        case incomplete
        case open(Opening)
        /// Answered with 200 and not passed on.
        case drop
        case refuse(Status)
    }

    /// How a message is passed on: `head` stands for its first `replaced` octets, the rest goes on as it comes.
    struct Opening: Equatable {
        let audience: Audience
        /// The wrapped content's type without parameters, lower case.
        let contentType: String
        /// Empty where nothing is replaced, that is, for nearly every message.
        var head = ByteBuffer()
        var replaced = 0
        /// Where the wrapped content begins in what is passed on.
        let contentStart: Int
        /// How participants without CPIM see the sender.
        let senderName: String
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
        switch judge(head: body, isWhole: true, contentType: contentType, dateTime: dateTime()) {
        case .open(let opening): .deliver(Envelope(opening, body: body), opening.audience)
        case .drop: .drop
        case .refuse(let status): .refuse(status)
        case .incomplete: .refuse(.badRequest)
        }
    }

    /// Judges a message by its first octets, before the rest is there (RFC 7701 section 6.1).
    /// - Parameters:
    ///   - octets: of the message from its start, as many as have come.
    ///   - isWhole: these are all.
    ///   - contentType: the SEND's.
    mutating func judge(
        head octets: ByteBuffer, isWhole: Bool, contentType: String, dateTime: @autoclosure () -> String
    ) -> HeadVerdict {
        switch format {
        case .cpim: judgeCPIM(octets, isWhole: isWhole)
        case .plainText: wrap(octets, isWhole: isWhole, contentType: contentType, dateTime: dateTime())
        }
    }

    private mutating func judgeCPIM(_ octets: ByteBuffer, isWhole: Bool) -> HeadVerdict {
        let parsed = octets.withUnsafeReadableBytes { bytes in
            Result { () throws(CPIMError) in try CPIMMessage(parsing: bytes, isWhole: isWhole) }
        }
        let message: CPIMMessage
        switch parsed {
        case .success(let success): message = success
        case .failure(.incomplete): return .incomplete
        // From must be "correctly populated with a valid URI of a participant" (RFC 7701 section 6.1).
        case .failure(.noSender): return .refuse(.forbidden)
        case .failure: return .refuse(.badRequest)
        }
        guard owns(message.from.uri) else { return .refuse(.forbidden) }
        // Exactly one receiver, and one that can be resolved (RFC 7701 sections 6.1 and 6.2).
        guard message.receivers == 1 else { return .refuse(.forbidden) }
        guard let to = message.to.first else { return .refuse(.notFound) }
        let audience = isRoom(to.uri) ? Audience.room : .participant(to.uri)
        if audience == .room {
            guard let isQuery = isOffTheRecord(octets, at: message.bodyOffset, isWhole) else { return .incomplete }
            if isQuery { return .drop }
        }
        return .open(isAnonymous ? hidden(message, audience) : opening(message, audience))
    }

    private func opening(_ message: CPIMMessage, _ audience: Audience, shift: Int = 0) -> Opening {
        Opening(
            audience: audience, contentType: message.contentType?.essence.lowercased() ?? "text/plain",
            contentStart: message.bodyOffset + shift, senderName: shownName)
    }

    /// From says what others may know, whatever the client wrote there.
    private func hidden(_ message: CPIMMessage, _ audience: Audience) -> Opening {
        let head = message.headers(replacing: [.from: [CPIMAddress(displayName: displayName, uri: uri).value]])
        var opening = opening(message, audience, shift: head.count - message.contentOffset)
        opening.head = ByteBuffer(bytes: head)
        opening.replaced = message.contentOffset
        return opening
    }

    private func wrap(
        _ octets: ByteBuffer, isWhole: Bool, contentType: String, dateTime: String
    ) -> HeadVerdict {
        guard let isQuery = isOffTheRecord(octets, at: 0, isWhole) else { return .incomplete }
        if isQuery { return .drop }
        let head = CPIMWrapper.head(
            from: CPIMAddress(displayName: displayName, uri: uri), to: [CPIMAddress(uri: room.uri)],
            dateTime: dateTime, contentType: contentType)
        return .open(
            Opening(
                audience: .room, contentType: contentType.prefix { $0 != ";" && $0 != " " }.lowercased(),
                head: ByteBuffer(bytes: head), contentStart: head.count, senderName: shownName))
    }

    /// The name participants without CPIM are shown.
    private var shownName: String { nickname ?? displayName ?? uri }

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

    /// Nil: too little has come to tell.
    private func isOffTheRecord(_ octets: ByteBuffer, at offset: Int, _ isWhole: Bool) -> Bool? {
        let content = octets.readableBytesView.dropFirst(offset).prefix(Self.offTheRecord.count)
        if content.count < Self.offTheRecord.count, !isWhole { return nil }
        return content.elementsEqual(Self.offTheRecord)
    }
}
