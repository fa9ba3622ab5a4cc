/// What an operator says about one room, and the pattern for rooms made on demand. What its people change is in
/// `RoomCondition`.
package struct RoomConfiguration: Sendable, Equatable, Codable {
    package var address: RoomAddress

    /// Shown to people; may be empty.
    package var title: String

    /// Whether participants that cannot do message/cpim may come in with text/plain.
    package var allowsPlainText: Bool

    /// Who is greeted when their media becomes active.
    package var welcome: Welcome

    /// The most participants the room takes; nil: the mixer's `Limits.membersPerRoom`.
    package var maximumMembers: Int?

    /// Who may do what. Owners may do everything, moderators what any group but `owners` and `nobody` may; they don't
    /// end the room or change its owners.
    package var join = Group.everyone
    package var speak = Group.everyone
    /// Have others called (REFER, resource lists). Only participants and owners are asked about at all.
    package var invite = Group.everyone
    /// Remove, ban and mute others, lock the room.
    package var remove = Group.moderators
    /// Change subject, free text and keywords.
    package var describe = Group.everyone
    package var subscribe = Subscribers.policy

    /// `user@domain`, or `*@domain`: who `Group.listed` is.
    package var listed: [String] = []
    /// `user@domain` of those who have a role from the start.
    package var owners: [String] = []
    package var moderators: [String] = []
    /// May read only.
    package var observers: [String] = []

    package var allowsPrivateMessages = true
    package var allowsNicknames = true
    /// Whether those who hide their name (Privacy: id) may come in.
    package var allowsAnonymous = true

    package var dialOut = DialOut.refer
    /// What is done for a client that doesn't do REFER (405, 501, 603, no answer).
    package var dialOutFallback: DialOut? = .invite
    /// When a room that was made on demand ends.
    package var ends = Ending.lastLeaves

    /// Octets of the largest message (413 above, and a=max-size); nil: the mixer's.
    package var maximumMessageSize: Int?
    package var history = History.none
    /// Whether private messages are kept as well, for their two ends.
    package var keepsPrivateMessages = false
    package var systemLines = SystemLines.none
    package var congestion = Congestion.disconnect(afterSeconds: 5)
    package var files = Files.announced
    /// Nicknames nobody may take; compared as RFC 7700 has it.
    package var reservedNicknames: [String] = []

    package init(
        address: RoomAddress, title: String = "", allowsPlainText: Bool = true,
        welcome: Welcome = .clientsUnawareOfChatRooms(text: nil), maximumMembers: Int? = nil
    ) {
        self.address = address
        self.title = title
        self.allowsPlainText = allowsPlainText
        self.welcome = welcome
        self.maximumMembers = maximumMembers
    }

    package enum Welcome: Sendable, Equatable, Codable {
        case nobody
        /// RFC 7701 section 11: who sent no a=chatroom is told that this is a room and who is in it.
        /// A nil text means the mixer's own words.
        case clientsUnawareOfChatRooms(text: String?)
        case everybody(text: String)
    }

    /// A group of people, from the largest to the smallest.
    package enum Group: String, Sendable, Codable, CaseIterable {
        case everyone
        /// Those whose address is in the room's domain.
        case domain
        case listed
        case moderators
        case owners
        case nobody
    }

    /// Who may subscribe to the roster; participants always may.
    package enum Subscribers: String, Sendable, Codable, CaseIterable {
        case participants
        /// Those whom the room's policy document allows (RFC 5025).
        case policy
        case all
    }

    /// What a newcomer is told of what was said before it came.
    package enum History: Sendable, Equatable, Codable {
        case none
        /// The last so many messages.
        case last(Int)
        /// What was said within so many days.
        case days(Int)
    }

    /// Whether the room says who came and left, and when its subject changes.
    package enum SystemLines: String, Sendable, Codable, CaseIterable {
        case none
        /// To those who don't subscribe to the roster.
        case unsubscribed
        case all
    }

    /// What is done with a participant that takes less than is said (RFC 7701 section 6.4). It is told in any case.
    package enum Congestion: Sendable, Equatable, Codable {
        /// It gets no regular messages until it has caught up.
        case drop
        /// It is disconnected when it has not caught up after so many seconds, so that it misses nothing in between.
        case disconnect(afterSeconds: Int)
    }

    /// What becomes of a file that is pushed into the room.
    package enum Files: String, Sendable, Codable, CaseIterable {
        /// Refused.
        case none
        /// Kept and announced; who wants it pulls it.
        case announced
        /// The same, and offered to every participant at once.
        case pushed
    }

    package enum DialOut: String, Sendable, Codable, CaseIterable {
        /// REFER to the room's URI: the client then calls us.
        case refer
        /// INVITE from the focus.
        case invite
    }

    package enum Ending: String, Sendable, Codable, CaseIterable {
        case lastLeaves = "last-leaves"
        case ownerLeaves = "owner-leaves"
    }
}
