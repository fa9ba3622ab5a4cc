package import FileSpool

/// What the mixer uses of others, if it is given it. What is called runs on the mixer's loop and may not block.
package struct MixerServices: Sendable {
    /// Keeps messages, for all mixers of the process; nil: they are in memory only.
    package var history: HistoryWriter?
    /// Where files are that people push into rooms; nil: nobody can.
    package var spool: FileSpool?
    package var fileEvents: @Sendable (FileEvent) -> Void

    package init(
        history: HistoryWriter? = nil, spool: FileSpool? = nil,
        fileEvents: @escaping @Sendable (FileEvent) -> Void = { _ in }
    ) {
        self.history = history
        self.spool = spool
        self.fileEvents = fileEvents
    }
}
