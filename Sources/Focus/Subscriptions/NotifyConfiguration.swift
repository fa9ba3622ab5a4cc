/// Settings of the conference event package; every limit a subscriber can run into has its name here.
package struct NotifyConfiguration: Sendable, Equatable {
    /// `[Conference] notify_interval`: after a NOTIFY the room's further changes are gathered this long
    /// (RFC 4575 section 3.9).
    package var interval: Duration = .seconds(5)

    /// What happens together (an ACK and the MSRP connection behind it) is told together: how long the first change is
    /// held back.
    package var settling: Duration = .milliseconds(20)

    /// `[Conference] full_state`: every document is a whole one, for clients that read no others.
    package var isFullStateOnly = false

    /// `[Conference] publish_persists`: title, subject and so on stay when the publication that set them expires.
    package var publicationsPersist = true

    /// Seconds a subscription lasts when the subscriber names none (RFC 4575 section 3.3), at most, and at least (423).
    package var defaultExpiry: UInt32 = 3600
    package var maximumExpiry: UInt32 = 86_400
    package var minimumExpiry: UInt32 = 10

    /// Seconds a publication lasts when the publisher names none, at most, and at least (423).
    package var defaultPublicationExpiry: UInt32 = 3600
    package var minimumPublicationExpiry: UInt32 = 10

    /// Subscriptions to one room, of one source address (behind a trusted peer: of one account), in all, and within
    /// one dialog: 480.
    package var maximumPerRoom = 2_000
    package var maximumPerSource = 1_000
    package var maximumSubscriptions = 20_000
    package var maximumPerDialog = 4

    /// Publications of one room that have not expired: 480.
    package var maximumPublicationsPerRoom = 100

    /// Octets of a published document (413), and of one text in it (the rest is cut off).
    package var maximumPublication = 16_384
    package var maximumText = 4_096

    /// What `<host-info>` says; nil: the room's domain.
    package var hostName: String?

    /// How long shutdown waits for the last NOTIFYs to be answered.
    package var shutdownTimeout: Duration = .seconds(2)

    package init() {}
}
