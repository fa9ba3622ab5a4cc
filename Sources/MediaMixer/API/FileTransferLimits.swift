package import NIOCore

/// What file transfers may use, each limit with its name.
package struct FileTransferLimits: Sendable {
    /// Transfers at a time: in all, in one room, and of one participant in one room.
    package var transfers = 256
    package var perRoom = 64
    package var perParticipant = 4

    /// How long a transfer may be without an octet in either direction.
    package var idleTimeout: TimeAmount = .seconds(60)

    /// How long the session of a transfer that is over waits for its dialog to end.
    package var lingerTimeout: TimeAmount = .seconds(10)

    /// Stretches of an incoming file, with others missing between them.
    package var gaps = 64

    /// Octets that all files of a loop together send in a millisecond: rooms come first, and what a disk and a network
    /// card take would keep the processors from them. 256 KiB are 256 MB/s.
    package var bytesPerMillisecond = 256 * 1024

    package init() {}
}
