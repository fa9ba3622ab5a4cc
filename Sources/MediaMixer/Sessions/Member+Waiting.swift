import NIOCore

/// What a participant without a session is told later.
extension Member {
    /// Nobody is there to take it yet: some wait, more are lost.
    func keep(_ message: Fanout) {
        let size = message.envelope.cpim.readableBytes
        guard phase != .gone, waiting.count < mixer.configuration.messagesBeforeBind,
            waitingBytes + size <= mixer.configuration.bytesBeforeBind
        else {
            mixer.counters.messagesDropped &+= 1
            return
        }
        waiting.append(message)
        waitingBytes += size
    }
}
