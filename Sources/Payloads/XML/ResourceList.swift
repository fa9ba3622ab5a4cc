/// A resource list (RFC 4826 section 3) with the copy control attributes of RFC 5364.
package struct ResourceList: Sendable, Hashable {
    package static let contentType = "application/resource-lists+xml"
    /// The Content-Disposition of a list of people to be invited (RFC 5363 section 4).
    package static let recipientList = "recipient-list"
    /// The Content-Disposition of a list of people that are invited too (RFC 5366 section 5).
    package static let recipientHistory = "recipient-list-history"

    package var lists: [List]

    package init(lists: [List]) {
        self.lists = lists
    }

    /// A flat list.
    package init(_ entries: [Entry]) {
        lists = [List(items: entries.map { .entry($0) })]
    }

    /// A `list`, which may hold others.
    package struct List: Sendable, Hashable {
        package var name: String?
        package var displayName: String?
        package var items: [Item]

        package init(name: String? = nil, displayName: String? = nil, items: [Item]) {
            self.name = name
            self.displayName = displayName
            self.items = items
        }
    }

    package enum Item: Sendable, Hashable {
        case entry(Entry)
        case list(List)
        /// An `entry-ref`, or an `external`.
        case reference(Reference)
    }

    /// Entries that are found elsewhere, by a URI, which may be a `cid:` one.
    package struct Reference: Sendable, Hashable {
        package var uri: String
        /// For those of the entries that have none of their own.
        package var copy: Copy?
        package var isAnonymized: Bool?

        package init(uri: String, copy: Copy? = nil, isAnonymized: Bool? = nil) {
            self.uri = uri
            self.copy = copy
            self.isAnonymized = isAnonymized
        }
    }

    /// An `entry`.
    package struct Entry: Sendable, Hashable {
        package var uri: String
        package var displayName: String?
        package var copy: Copy
        /// Others are not to see its URI (RFC 5364 section 4).
        package var isAnonymized: Bool
        /// How many recipients an entry of a history stands for.
        package var count: Int

        package init(
            uri: String, displayName: String? = nil, copy: Copy = .bcc, isAnonymized: Bool = false, count: Int = 1
        ) {
            self.uri = uri
            self.displayName = displayName
            self.copy = copy
            self.isAnonymized = isAnonymized
            self.count = count
        }
    }

    /// The copy control level; an entry without one is `bcc` (RFC 5364 section 4).
    package enum Copy: String, Sendable, Hashable {
        case to, cc, bcc
    }

    /// Somebody to be dialled out to.
    package struct Recipient: Sendable, Hashable {
        /// As written in the list, blanks at its ends removed; whether it can be called is not known here.
        package var uri: String
        package var displayName: String?
        package var copy: Copy
        package var isAnonymized: Bool

        package init(uri: String, displayName: String? = nil, copy: Copy = .bcc, isAnonymized: Bool = false) {
            self.uri = uri
            self.displayName = displayName
            self.copy = copy
            self.isAnonymized = isAnonymized
        }
    }

    /// A list without its structure.
    package struct Flattened: Sendable, Hashable {
        /// Each once, in the order of their first entries.
        package var recipients: [Recipient]
        /// References that could not be followed.
        package var unresolved: [String]
        /// Entries left out because their recipient was there already.
        package var duplicates: Int
    }
}
