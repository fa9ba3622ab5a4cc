package import FileSpool

/// File transfers (RFC 5547): each is one MSRP session of its own, for one file in one direction.
extension MixerHandle {
    /// Makes the session of a transfer; it exists when this returns. What becomes of it is told by one `FileEvent`, unless
    /// the focus ends it before the file is whole.
    ///
    /// `media.format` says in which form a file is sent: `.plainText` as it is, `.cpim` in message/cpim. A file that comes
    /// may have either.
    /// - Throws: `.noSpool`, `.tooManyTransfers`, `.fileRefused`, `.malformedPath`, `.shuttingDown`.
    package func reserveFile(_ request: FileRequest) async throws(JoinRefusal) -> FileReservation {
        try await perform(room: request.room) { $0.reserveFile(request) }.get()
    }

    /// The ACK came: if we are the active side we connect now.
    package func startFile(_ transfer: FileTransferID) async {
        await perform(transfer: transfer) { $0.files?.start(transfer) }
    }

    /// New media from a re-INVITE, or the answer to our offer. The session-id stays.
    package func renegotiateFile(_ transfer: FileTransferID, media: PeerMedia) async throws(JoinRefusal) {
        try await perform(transfer: transfer) {
            $0.files?.renegotiate(transfer, media: media) ?? .failure(.noSuchTransfer)
        }
        .get()
    }

    /// The dialog is over: the session ends, and with it a transfer that isn't done. Unknown ones are ignored. A file of
    /// which all octets have come is stored all the same, and its event told.
    package func endFile(_ transfer: FileTransferID) async {
        await perform(transfer: transfer) { $0.files?.end(transfer) }
    }

    /// Tells a room that the file can be had. Nobody is told when the room isn't open.
    package func announce(_ file: SpooledFile, in room: RoomAddress) async {
        await perform(room: room) { $0.room(room)?.say(SystemLine(announcing: file)) }
    }
}
