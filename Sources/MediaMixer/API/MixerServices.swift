/// What the mixer uses of others, if it is given it. What is called runs on the mixer's loop and may not block.
package struct MixerServices: Sendable {
    /// Where messages are kept; nil: in memory only.
    package var history: (any HistoryStore)?
    package var fileEvents: @Sendable (FileEvent) -> Void

    package init(
        history: (any HistoryStore)? = nil, fileEvents: @escaping @Sendable (FileEvent) -> Void = { _ in }
    ) {
        self.history = history
        self.fileEvents = fileEvents
    }
}
