import MediaMixer
import Payloads
import SIP

/// What a PUBLISH to a room says (RFC 3903 section 6): the precondition, how long, and perhaps words about the room.
struct PublishRequest: Sendable, Equatable {
    /// SIP-If-Match; nil: a publication of its own.
    let tag: String?
    /// Seconds; 0 removes.
    let expiry: Int
    /// Nil: a refresh or a removal.
    let words: RoomWords?

    init(tag: String?, expiry: Int, words: RoomWords?) {
        self.tag = tag
        self.expiry = expiry
        self.words = words
    }

    init(_ request: Request, _ configuration: NotifyConfiguration) throws(Rejection) {
        try SubscribeRequest.checkRequirements(request)
        let tags = request.headers.items("SIP-If-Match")
        guard tags.count <= 1 else { throw .malformed("several entity-tags") }
        tag = tags.first
        if request.headers.contains("Expires"), request.expires == nil { throw .malformed("malformed Expires") }
        let wanted = request.expires ?? Int(configuration.defaultPublicationExpiry)
        if wanted > 0, wanted < Int(configuration.minimumPublicationExpiry) {
            throw .tooBrief(configuration.minimumPublicationExpiry)
        }
        expiry = min(wanted, Int(configuration.maximumExpiry))
        guard let body = request.body, !body.content.isEmpty else {
            guard tag != nil else { throw .malformed("a publication without a body") }
            words = nil
            return
        }
        guard body.mediaType == ConferenceInfo.contentType else {
            throw Rejection(
                status: 415, headers: [HeaderField("Accept", ConferenceInfo.contentType)], why: "another body")
        }
        if let coding = request.headers["Content-Encoding"], coding.lowercased() != "identity" {
            throw Rejection(status: 415, headers: [HeaderField("Accept-Encoding", "identity")], why: "encoded body")
        }
        guard body.content.count <= configuration.maximumPublication else {
            throw Rejection(status: 413, why: "limit maximumPublication")
        }
        words = try RoomWords(body.content, longest: configuration.maximumText)
    }
}

/// What people say about their room in a conference information document: its title, subject, and so on.
struct RoomWords: Sendable, Equatable {
    /// The room that the document names.
    var entity: String
    /// Of each nil: the document says nothing about it; empty: there is to be none.
    var title: String?
    var subject: String?
    var freeText: String?
    var keywords: [String]?

    /// - Throws: 400 for what is no such document, 403 for one that wants to change anything else.
    init(_ document: [UInt8], longest: Int) throws(Rejection) {
        let info: ConferenceInfo
        do {
            info = try ConferenceInfo(parsing: document)
        } catch {
            throw .malformed("malformed conference-info: \(error)")
        }
        guard info.state != .deleted, info.hostInfo == nil, info.conferenceState == nil, info.users == nil,
            info.others.isEmpty, let description = info.description, description.others.isEmpty,
            description.conferenceURIs.isEmpty, description.serviceURIs.isEmpty, description.maximumUserCount == nil,
            description.availableMedia.isEmpty
        else { throw Rejection(status: 403, why: "only title, subject, free text and keywords are published") }
        entity = info.entity
        title = description.displayText.map { Self.cut($0, longest) }
        subject = description.subject.map { Self.cut($0, longest) }
        freeText = description.freeText.map { Self.cut($0, longest) }
        keywords = description.keywords.isEmpty ? nil : Self.cut(description.keywords, longest)
    }

    init(entity: String) { self.entity = entity }

    /// Without control characters other than line ends, at most `octets` long.
    private static func cut(_ text: String, _ octets: Int) -> String {
        var cut = String.UnicodeScalarView()
        var count = 0
        for scalar in text.unicodeScalars {
            guard scalar.value >= 0x20 && scalar.value != 0x7f || scalar == "\n" || scalar == "\t" else { continue }
            count += UTF8.width(scalar)
            guard count <= octets else { break }
            cut.append(scalar)
        }
        return String(cut)
    }

    private static func cut(_ words: [String], _ octets: Int) -> [String] {
        var count = 0
        return Array(
            words.prefix {
                count += $0.utf8.count + 1
                return count <= octets
            })
    }

    /// Writes what is said into the room's condition.
    func apply(to condition: inout RoomCondition) {
        if let title { condition.title = title.isEmpty ? nil : title }
        if let subject { condition.subject = subject.isEmpty ? nil : subject }
        if let freeText { condition.freeText = freeText.isEmpty ? nil : freeText }
        if let keywords { condition.keywords = keywords }
    }

    /// Of what is said here, how it was in `condition`.
    func before(in condition: RoomCondition) -> RoomWords {
        var words = RoomWords(entity: entity)
        if title != nil { words.title = condition.title ?? "" }
        if subject != nil { words.subject = condition.subject ?? "" }
        if freeText != nil { words.freeText = condition.freeText ?? "" }
        if keywords != nil { words.keywords = condition.keywords }
        return words
    }

    /// Takes back what is said here where it still stands, in favour of `before`.
    func revert(to before: RoomWords, in condition: inout RoomCondition) {
        var words = RoomWords(entity: entity)
        if let title, (condition.title ?? "") == title { words.title = before.title ?? "" }
        if let subject, (condition.subject ?? "") == subject { words.subject = before.subject ?? "" }
        if let freeText, (condition.freeText ?? "") == freeText { words.freeText = before.freeText ?? "" }
        if let keywords, condition.keywords == keywords { words.keywords = before.keywords ?? [] }
        words.apply(to: &condition)
    }
}
