package import MediaMixer

extension Focus {
    /// Changes what a room says of itself: title, subject, text, keywords.
    ///
    /// - Throws: `.noSuchRoom`, `.notKept`.
    package func describeRoom(
        _ room: RoomAddress, _ change: @Sendable (inout RoomCondition) -> Void
    ) async throws(RoomCommandError) {
        guard self.change(room, change) else { throw .noSuchRoom }
    }
}
