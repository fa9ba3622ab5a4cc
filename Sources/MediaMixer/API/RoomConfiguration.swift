/// What an operator says about one static room, and the pattern for rooms made on demand.
package struct RoomConfiguration: Sendable, Equatable {
    package var address: RoomAddress

    /// Shown to people; may be empty.
    package var title: String

    /// Whether participants that cannot do message/cpim may come in with text/plain.
    package var allowsPlainText: Bool

    /// Who is greeted when their media becomes active.
    package var welcome: Welcome

    /// The most participants the room takes; nil: the mixer's `Limits.membersPerRoom`.
    package var maximumMembers: Int?

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

    package enum Welcome: Sendable, Equatable {
        case nobody
        /// RFC 7701 section 11: who sent no a=chatroom is told that this is a room and who is in it.
        /// A nil text means the mixer's own words.
        case clientsUnawareOfChatRooms(text: String?)
        case everybody(text: String)
    }
}
