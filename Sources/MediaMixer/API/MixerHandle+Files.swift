package import FileSpool

/// File transfers (RFC 5547): each is one MSRP session of its own, for one file in one direction.
extension MixerHandle {
    /// Makes the session of a transfer; it exists when this returns. What becomes of it is told by one `FileEvent`, unless
    /// the focus ends it first.
    /// - Throws: `.noSpool`, `.tooManyTransfers`, `.fileRefused`, `.malformedPath`, `.shuttingDown`.
    package func reserveFile(_ request: FileRequest) async throws(JoinRefusal) -> FileReservation {
        throw .noSpool
    }

    /// The ACK came: if we are the active side we connect now.
    package func startFile(_ transfer: FileTransferID) async {}

    /// New media from a re-INVITE, or the answer to our offer. The session-id stays.
    package func renegotiateFile(_ transfer: FileTransferID, media: PeerMedia) async throws(JoinRefusal) {
        throw .noSpool
    }

    /// The dialog is over: the session ends, and with it a transfer that isn't done. Unknown ones are ignored.
    package func endFile(_ transfer: FileTransferID) async {}

    /// Tells a room that the file can be had. Nobody is told when the room isn't open.
    package func announce(_ file: SpooledFile, in room: RoomAddress) async {}
}
