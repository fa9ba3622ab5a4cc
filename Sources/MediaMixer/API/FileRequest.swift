package import FileSpool

/// One transfer of one file between a participant and a room; never reused in a process.
package struct FileTransferID: Hashable, Sendable, CustomStringConvertible {
    package let number: UInt64

    package init(number: UInt64) { self.number = number }

    package var description: String { "f\(number)" }
}

/// What the focus asks for when an INVITE with a file-selector was found acceptable (RFC 5547).
package struct FileRequest: Sendable {
    package enum Work: Sendable, Equatable {
        /// The peer pushes a file into the room.
        case receive(FileOffer)
        /// The peer pulls this one, from the octet `offset` on (0: the whole), at most `length` octets.
        case send(SpooledFile, offset: Int, length: Int?)
    }

    package var room: RoomAddress
    package var work: Work
    /// The peer's URI and name as others in the room know it.
    package var participant: String
    package var displayName: String?
    package var media: PeerMedia
    /// As in `JoinRequest`.
    package var localHost: String
    package var localPort: Int
    package var signallingSource: String?

    package init(
        room: RoomAddress, work: Work, participant: String, displayName: String?, media: PeerMedia, localHost: String,
        localPort: Int, signallingSource: String?
    ) {
        self.room = room
        self.work = work
        self.participant = participant
        self.displayName = displayName
        self.media = media
        self.localHost = localHost
        self.localPort = localPort
        self.signallingSource = signallingSource
    }
}

/// What a peer says of the file it is about to push (RFC 5547 section 6).
package struct FileOffer: Sendable, Equatable {
    /// As the peer wrote it; the spool makes a harmless name of it.
    package var name: String
    package var type: String?
    package var size: Int?
    /// Lower case hash name and digest; what is known of `sha-1` and `sha-256` must hold.
    package var hashes: [CertificateFingerprint]

    package init(name: String, type: String?, size: Int?, hashes: [CertificateFingerprint]) {
        self.name = name
        self.type = type
        self.size = size
        self.hashes = hashes
    }
}

/// The session that was made for a transfer.
package struct FileReservation: Sendable, Equatable {
    package let transfer: FileTransferID
    /// Our a=path value.
    package let localPath: String

    package init(transfer: FileTransferID, localPath: String) {
        self.transfer = transfer
        self.localPath = localPath
    }
}

/// What became of a transfer; each has exactly one of these, unless the focus ended it.
package enum FileEvent: Sendable, Equatable {
    /// The file is in the spool and in its index, hashes and size right.
    case received(FileTransferID, SpooledFile)
    /// The peer has acknowledged all of it.
    case sent(FileTransferID)
    case failed(FileTransferID, FileFailure)

    package var transfer: FileTransferID {
        switch self {
        case .received(let id, _), .sent(let id), .failed(let id, _): id
        }
    }
}

package enum FileFailure: Sendable, Equatable {
    /// The connection ended, or never came, before the file was whole.
    case interrupted
    /// The peer gave the file up (`#`, or an error status).
    case abandoned
    case hashMismatch
    /// More octets came than were announced, or fewer.
    case wrongSize
    /// One of `SpoolLimits`.
    case limit
    /// The spool's disk.
    case disk
    case fingerprintMismatch
    case connectFailed
}
