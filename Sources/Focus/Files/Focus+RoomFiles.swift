import FileSpool
import Logging
import MediaMixer
import Payloads

/// The files that a room has.
extension Focus {
    /// A file is there whole, whether or not its call still is.
    func received(_ file: SpooledFile) {
        guard let address = RoomAddress(spooled: file.room), let room = rooms[address] else {
            // The room ended while the last octets came.
            return removeFile(file.id)
        }
        mixer.announce(file, in: address)
        filesChanged(in: address)
        if room.configuration.files == .pushed { pushOn(file, in: address) }
    }

    private func removeFile(_ id: String) {
        guard let shelf else { return }
        Task { await shelf.remove(id) }
    }

    /// The room is gone, and its files with it.
    func removeFiles(of room: RoomAddress, reason: String) {
        let calls = files.calls(in: room)
        stopPushing(in: room)
        for call in calls { hangUpFile(call, reason: reason) }
        files.shown[room] = nil
        guard let shelf else { return }
        Task { await shelf.removeRoom(room.description) }
    }

    /// What the room's roster shows.
    func filesShown(_ room: RoomAddress) -> [ConferenceInfo.File] {
        if let shown = files.shown[room] { return shown }
        let shown = (shelf?.files(in: room.description) ?? []).suffix(configuration.limits.filesShown)
            .map { ConferenceInfo.File($0) }
        files.shown[room] = shown
        return shown
    }

    func filesChanged(in room: RoomAddress) {
        files.shown[room] = nil
        peopleChanged(room)
    }

    /// Removes the files of rooms that did not come back, and from now on those that have expired.
    func tendFiles() async {
        guard let shelf else { return }
        for name in shelf.rooms where RoomAddress(spooled: name).map({ rooms[$0] == nil }) ?? true {
            await shelf.removeRoom(name)
        }
        sweepFiles()
    }

    private func sweepFiles() {
        signalling.schedule(after: configuration.fileSweep) { [weak self] in
            self?.assumeIsolated { focus in
                guard let shelf = focus.shelf, !focus.isShuttingDown else { return }
                let now = focus.wallClock()
                Task.immediate { await focus.removeExpired(shelf, now: now) }
            }
        }
    }

    private func removeExpired(_ shelf: any FileShelf, now: Int64) async {
        let removed = await shelf.expire(now: now)
        for room in Set(removed.compactMap { RoomAddress(spooled: $0.room) }) { filesChanged(in: room) }
        if !removed.isEmpty { logger.info("files have expired", metadata: ["files": "\(removed.count)"]) }
        sweepFiles()
    }
}
