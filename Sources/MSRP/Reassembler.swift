import NIOCore

/// Puts the chunks of messages together, in whatever order they come (RFC 4975 section 7.3.1). Memory
/// grows with the octets received, never with the positions a peer claims for them.
///
/// A large message is a stream: its octets are handed out in order as soon as none is missing before them, and only
/// those behind a gap are held. What was handed out cannot be taken back, so of octets that come twice the first win.
struct Reassembler: Sendable {
    /// Why a chunk cannot be taken.
    enum Failure: Hashable {
        case messageTooLarge, tooManyMessages, tooManyBytes, tooManyGaps, tooManyStreams
        /// A stream has more octets than its Byte-Range said.
        case beyondTotal
    }

    struct Limits {
        let messageSize: Int
        let messages: Int
        let bytes: Int
        let gaps: Int
        /// Larger messages are streams.
        let streamAbove: Int
        let streams: Int
    }

    /// What became of some octets.
    enum Taken {
        case kept
        case began(EndpointSession.IncomingStream, ByteBuffer)
        /// More octets of a stream.
        case passed(ByteBuffer)
        case failed(Failure)
    }

    /// What the end of a chunk means.
    enum End {
        case more
        case message(Message)
        /// Of a stream that has begun.
        case moreOfStream
        /// All of a stream was handed out.
        case stream
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
        /// The declared size of a stream.
        var total: UInt64?
        var isStream = false
        /// Octets of a stream that were handed out.
        var passed = 0
        var hasBegun: Bool { passed > 0 }

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
    /// Messages that are streams.
    private(set) var streams = 0

    /// Whether chunks of the message came before.
    func holds(_ messageID: MessageID) -> Bool { index(of: messageID) != nil }

    /// A chunk begins that starts `offset` octets into its message.
    mutating func begin(
        _ messageID: MessageID, head: Head, contentType: String, offset: UInt64, total: UInt64? = nil,
        limits: Limits, now: NIODeadline
    ) -> Failure? {
        guard offset <= UInt64(limits.messageSize) else { return .messageTooLarge }
        let isLarge = (total ?? 0) > UInt64(clamping: limits.streamAbove)
        if let index = index(of: messageID) {
            partials[index].lastChunk = now
            if offset == 0 {
                partials[index].head = head
                partials[index].contentType = contentType
            }
            return isLarge && !partials[index].isStream ? makeStream(at: index, total: total, limits: limits) : nil
        }
        guard partials.count < limits.messages else { return .tooManyMessages }
        if isLarge, streams >= limits.streams { return .tooManyStreams }
        partials.append(Partial(messageID: messageID, head: head, contentType: contentType, at: now))
        return isLarge ? makeStream(at: partials.count - 1, total: total, limits: limits) : nil
    }

    private mutating func makeStream(at index: Int, total: UInt64?, limits: Limits) -> Failure? {
        guard streams < limits.streams else { return .tooManyStreams }
        streams += 1
        partials[index].isStream = true
        partials[index].total = total
        return nil
    }

    /// Some octets of the chunk, `offset` octets into the message.
    mutating func take(
        _ bytes: ByteBuffer, of messageID: MessageID, offset: Int, limits: Limits, now: NIODeadline
    ) -> Taken {
        guard let index = index(of: messageID) else { return .failed(.tooManyMessages) }
        guard bytes.readableBytes <= limits.messageSize - offset else { return .failed(.messageTooLarge) }
        partials[index].lastChunk = now
        if partials[index].isStream { return pass(bytes, at: index, offset: offset, limits: limits) }
        if let failure = keep(bytes, at: index, offset: offset, limits: limits) { return .failed(failure) }
        guard partials[index].held > limits.streamAbove else { return .kept }
        if let failure = makeStream(at: index, total: nil, limits: limits) { return .failed(failure) }
        return hand(out: ByteBuffer(), at: index)
    }

    // MARK: Streams

    private mutating func pass(_ bytes: ByteBuffer, at index: Int, offset: Int, limits: Limits) -> Taken {
        var offset = offset
        var rest = bytes
        if let total = partials[index].total, UInt64(offset + rest.readableBytes) > total {
            return .failed(.beyondTotal)
        }
        let known = min(max(0, partials[index].passed - offset), rest.readableBytes)
        rest.moveReaderIndex(forwardBy: known)
        offset += known
        guard rest.readableBytes > 0 else { return .kept }
        guard offset == partials[index].passed else {
            return keep(rest, at: index, offset: offset, limits: limits).map { .failed($0) } ?? .kept
        }
        return hand(out: rest, at: index)
    }

    /// Hands out octets that follow what was handed out, and what is held behind them.
    private mutating func hand(out octets: ByteBuffer, at index: Int) -> Taken {
        let isFirst = !partials[index].hasBegun
        var octets = octets
        partials[index].passed += octets.readableBytes
        while let next = partials[index].stretches.first, next.start <= partials[index].passed {
            partials[index].stretches.removeFirst()
            partials[index].held -= next.bytes.readableBytes
            held -= next.bytes.readableBytes
            guard next.end > partials[index].passed else { continue }
            var news = next.bytes
            news.moveReaderIndex(forwardBy: partials[index].passed - next.start)
            if octets.readableBytes == 0 { octets = news } else { octets.writeImmutableBuffer(news) }
            partials[index].passed = next.end
        }
        guard octets.readableBytes > 0 else { return .kept }
        guard isFirst else { return .passed(octets) }
        let partial = partials[index]
        return .began(
            .init(
                messageID: partial.messageID, contentType: partial.contentType, head: partial.head,
                total: partial.total),
            octets)
    }

    /// Forgets the streams whose last octets came before `deadline`.
    /// - Returns: those that had begun.
    mutating func dropStreams(before deadline: NIODeadline) -> [MessageID] {
        var dropped: [MessageID] = []
        for index in partials.indices.reversed() where partials[index].hasBegun && partials[index].lastChunk < deadline
        {
            dropped.append(remove(at: index).messageID)
        }
        return dropped
    }

    // MARK: Octets that wait for others

    /// Where octets came before, the last ones win.
    private mutating func keep(_ bytes: ByteBuffer, at index: Int, offset: Int, limits: Limits) -> Failure? {
        guard bytes.readableBytes <= limits.bytes - held else { return .tooManyBytes }
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
    mutating func end(_ messageID: MessageID, offset: Int, isLast: Bool) -> End {
        guard let index = index(of: messageID) else { return .more }
        if isLast { partials[index].size = offset }
        if partials[index].hasBegun {
            guard let size = partials[index].size, partials[index].passed >= size else { return .moreOfStream }
            remove(at: index)
            return .stream
        }
        guard let size = partials[index].size else { return .more }
        var covered = 0
        for stretch in partials[index].stretches {
            guard stretch.start == covered, covered < size else { break }
            covered = stretch.end
        }
        guard covered >= size else { return .more }
        let partial = remove(at: index)
        return .message(
            Message(
                messageID: messageID, contentType: partial.contentType,
                body: Self.join(partial.stretches, size: size), head: partial.head))
    }

    /// Forgets a message.
    /// - Returns: whether it was a stream that had begun.
    @discardableResult
    mutating func drop(_ messageID: MessageID) -> Bool {
        guard let index = index(of: messageID) else { return false }
        return remove(at: index).hasBegun
    }

    /// Forgets the messages whose last octets came before `deadline`, unless they are streams that have begun.
    mutating func dropAll(before deadline: NIODeadline) -> [MessageID] {
        var dropped: [MessageID] = []
        for index in partials.indices.reversed()
        where !partials[index].hasBegun && partials[index].lastChunk < deadline {
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
        if partials[index].isStream { streams -= 1 }
        return partials.remove(at: index)
    }

    private static func join(_ stretches: [Stretch], size: Int) -> ByteBuffer {
        var joined = stretches.first?.bytes ?? ByteBuffer()
        for stretch in stretches.dropFirst() where stretch.start < size { joined.writeImmutableBuffer(stretch.bytes) }
        return joined.readSlice(length: min(size, joined.readableBytes)) ?? joined
    }
}
