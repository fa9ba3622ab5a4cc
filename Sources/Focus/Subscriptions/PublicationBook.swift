import MediaMixer

/// Publications that have not expired, by room and entity-tag (RFC 3903 section 6).
struct PublicationBook: Sendable {
    struct Publication: Sendable, Equatable {
        let account: String
        var deadline: ContinuousClock.Instant
        /// What it said last.
        var words: RoomWords
        /// How the room was before the publication said anything.
        var before: RoomWords
    }

    enum OnRequest: Sendable, Equatable {
        /// 200 with this entity-tag.
        case accepted(tag: String, Change)
        case refused(Refusal)
    }

    enum Change: Sendable, Equatable {
        case none
        case say(RoomWords)
        /// The publication is gone and takes back what it said.
        case takeBack(RoomWords, before: RoomWords)
    }

    enum Refusal: Sendable, Equatable {
        /// 412
        case noSuchPublication
        /// The name of the limit.
        case limit(String)
    }

    private var rooms: [RoomAddress: [String: Publication]] = [:]

    var count: Int { rooms.values.reduce(0) { $0 + $1.count } }

    /// - Parameters:
    ///   - newTag: an entity-tag nobody ever had.
    ///   - before: the room's condition as it is.
    mutating func handle(
        _ request: PublishRequest, of account: String, in room: RoomAddress, newTag: String, condition: RoomCondition,
        most: Int, now: ContinuousClock.Instant
    ) -> OnRequest {
        let deadline = now + .seconds(request.expiry)
        guard let tag = request.tag else {
            guard let words = request.words, request.expiry > 0 else { return .accepted(tag: newTag, .none) }
            guard rooms[room]?.count ?? 0 < most else { return .refused(.limit("maximumPublicationsPerRoom")) }
            rooms[room, default: [:]][newTag] = Publication(
                account: account, deadline: deadline, words: words, before: words.before(in: condition))
            return .accepted(tag: newTag, .say(words))
        }
        guard var publication = rooms[room]?[tag], publication.account == account, publication.deadline > now else {
            return .refused(.noSuchPublication)
        }
        remove(tag, of: room)
        guard request.expiry > 0 else {
            return .accepted(tag: newTag, .takeBack(publication.words, before: publication.before))
        }
        publication.deadline = deadline
        var change = Change.none
        if let words = request.words {
            publication.note(words, condition)
            change = .say(words)
        }
        rooms[room, default: [:]][newTag] = publication
        return .accepted(tag: newTag, change)
    }

    /// Those whose time is over, and when the next one's is.
    mutating func expired(
        now: ContinuousClock.Instant
    ) -> (due: [(RoomAddress, Publication)], next: ContinuousClock.Instant?) {
        var due: [(RoomAddress, Publication)] = []
        var next: ContinuousClock.Instant?
        for (room, publications) in rooms {
            for (tag, publication) in publications {
                if publication.deadline <= now {
                    remove(tag, of: room)
                    due.append((room, publication))
                } else if next.map({ publication.deadline < $0 }) ?? true {
                    next = publication.deadline
                }
            }
        }
        return (due, next)
    }

    mutating func forget(_ room: RoomAddress) { rooms[room] = nil }

    private mutating func remove(_ tag: String, of room: RoomAddress) {
        rooms[room]?[tag] = nil
        if rooms[room]?.isEmpty == true { rooms[room] = nil }
    }
}

extension PublicationBook.Publication {
    /// Other words take the place of the ones before; what is said for the first time remembers how it was.
    fileprivate mutating func note(_ new: RoomWords, _ condition: RoomCondition) {
        let untouched = new.before(in: condition)
        if new.title != nil, before.title == nil { before.title = untouched.title }
        if new.subject != nil, before.subject == nil { before.subject = untouched.subject }
        if new.freeText != nil, before.freeText == nil { before.freeText = untouched.freeText }
        if new.keywords != nil, before.keywords == nil { before.keywords = untouched.keywords }
        words.title = new.title ?? words.title
        words.subject = new.subject ?? words.subject
        words.freeText = new.freeText ?? words.freeText
        words.keywords = new.keywords ?? words.keywords
    }
}
