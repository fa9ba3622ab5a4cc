import NIOCore

/// Puts the chunks of messages together, in whatever order they come (RFC 4975 section 7.3.1). Memory
/// grows with the octets received, never with the positions a peer claims for them.
struct Reassembler: Sendable {
    /// Why a chunk cannot be taken.
    enum Failure: Hashable {
        case messageTooLarge, tooManyMessages, tooManyBytes, tooManyGaps
    }

    struct Limits {
        let messageSize: Int
        let messages: Int
        let bytes: Int
        let gaps: Int
    }

    private struct Stretch {
        let start: Int
        var bytes: ByteBuffer
        var end: Int { start + bytes.readableBytes }
    }

    private struct Partial {
        let messageID: MessageID
        /// Of the chunk that starts the message; until that came, of the first chunk that did.
        var head: Head
        var contentType: String
        /// In order, not overlapping; neighbours may touch.
        var stretches: [Stretch] = []
        var size: Int?
        var lastChunk: NIODeadline
        var held = 0

        init(messageID: MessageID, head: Head, contentType: String, at now: NIODeadline) {
            self.messageID = messageID
            self.head = head
            self.contentType = contentType
            lastChunk = now
        }
    }

    private var partials: [Partial] = []
    /// Octets held for all messages.
    private(set) var held = 0

    var count: Int { partials.count }

    /// Whether chunks of the message came before.
    func holds(_ messageID: MessageID) -> Bool { index(of: messageID) != nil }

    /// A chunk begins that starts `offset` octets into its message.
    mutating func begin(
        _ messageID: MessageID, head: Head, contentType: String, offset: UInt64, limits: Limits, now: NIODeadline
    ) -> Failure? {
        guard offset <= UInt64(limits.messageSize) else { return .messageTooLarge }
        if let index = index(of: messageID) {
            partials[index].lastChunk = now
            if offset == 0 {
                partials[index].head = head
                partials[index].contentType = contentType
            }
            return nil
        }
        guard partials.count < limits.messages else { return .tooManyMessages }
        partials.append(Partial(messageID: messageID, head: head, contentType: contentType, at: now))
        return nil
    }

    /// Some octets of the chunk, `offset` octets into the message. Where octets came before, the last
    /// ones win.
    mutating func add(
        _ bytes: ByteBuffer, to messageID: MessageID, offset: Int, limits: Limits, now: NIODeadline
    ) -> Failure? {
        guard let index = index(of: messageID) else { return .tooManyMessages }
        guard bytes.readableBytes <= limits.messageSize - offset else { return .messageTooLarge }
        guard bytes.readableBytes <= limits.bytes - held else { return .tooManyBytes }
        partials[index].lastChunk = now
        var offset = offset
        var rest = bytes
        while rest.readableBytes > 0 {
            let before = partials[index].stretches.lastIndex { $0.start <= offset }
            if let before, offset < partials[index].stretches[before].end {
                let size = min(rest.readableBytes, partials[index].stretches[before].end - offset)
                guard let piece = rest.readSlice(length: size) else { break }
                let place = offset - partials[index].stretches[before].start
                partials[index].stretches[before].bytes.setBuffer(piece, at: place)
                offset += size
                continue
            }
            let next = before.map { $0 + 1 } ?? 0
            var size = rest.readableBytes
            if next < partials[index].stretches.count {
                size = min(size, partials[index].stretches[next].start - offset)
            }
            guard let piece = rest.readSlice(length: size) else { break }
            if let before, partials[index].stretches[before].end == offset {
                partials[index].stretches[before].bytes.writeImmutableBuffer(piece)
            } else {
                guard partials[index].stretches.count <= limits.gaps else { return .tooManyGaps }
                // A copy: a slice would keep the connection's whole read buffer alive.
                let copy = piece.withUnsafeReadableBytes { ByteBuffer(bytes: $0) }
                partials[index].stretches.insert(Stretch(start: offset, bytes: copy), at: next)
            }
            offset += size
            held += size
            partials[index].held += size
        }
        return nil
    }

    /// A chunk ended `offset` octets into its message; if it was the last one, that is the message's size.
    /// - Returns: the message when nothing is missing any more.
    mutating func end(_ messageID: MessageID, offset: Int, isLast: Bool) -> Message? {
        guard let index = index(of: messageID) else { return nil }
        if isLast { partials[index].size = offset }
        guard let size = partials[index].size else { return nil }
        var covered = 0
        for stretch in partials[index].stretches {
            guard stretch.start == covered, covered < size else { break }
            covered = stretch.end
        }
        guard covered >= size else { return nil }
        let partial = remove(at: index)
        return Message(
            messageID: messageID, contentType: partial.contentType, body: Self.join(partial.stretches, size: size),
            head: partial.head)
    }

    /// Forgets a message.
    mutating func drop(_ messageID: MessageID) {
        if let index = index(of: messageID) { remove(at: index) }
    }

    /// Forgets the messages whose last octets came before `deadline`.
    mutating func dropAll(before deadline: NIODeadline) -> [MessageID] {
        var dropped: [MessageID] = []
        for index in partials.indices.reversed() where partials[index].lastChunk < deadline {
            dropped.append(remove(at: index).messageID)
        }
        return dropped
    }

    private func index(of messageID: MessageID) -> Int? {
        partials.lastIndex { $0.messageID == messageID }
    }

    @discardableResult
    private mutating func remove(at index: Int) -> Partial {
        held -= partials[index].held
        return partials.remove(at: index)
    }

    private static func join(_ stretches: [Stretch], size: Int) -> ByteBuffer {
        var joined = stretches.first?.bytes ?? ByteBuffer()
        for stretch in stretches.dropFirst() where stretch.start < size { joined.writeImmutableBuffer(stretch.bytes) }
        return joined.readSlice(length: min(size, joined.readableBytes)) ?? joined
    }
}
