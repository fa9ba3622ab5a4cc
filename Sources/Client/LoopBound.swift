import NIOCore

extension NIOLoopBound where Value == MessageSession {
    /// Runs `body` on the session's loop, and flushes what it wrote.
    func onLoop<Result: Sendable>(
        _ body: @escaping @Sendable (MessageSession) -> Result
    ) async throws -> Result {
        try await eventLoop.submit {
            let result = body(self.value)
            self.value.flush()
            return result
        }.get()
    }
}
