/// What is kept of what was said.
extension MixerHandle {
    /// Takes messages out of a room's memory: newcomers aren't told them any more. What is stored is
    /// `HistoryWriter.purge`'s affair.
    /// - Parameter before: milliseconds since 1970; nil: all.
    package func purge(_ room: RoomAddress, before: Int64?) async {
        await perform(room: room) { $0.room(room)?.history.purge(before: before) }
    }
}
