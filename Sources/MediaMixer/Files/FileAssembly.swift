import MSRP
import NIOCore

/// The chunks of the one message that brings a file (RFC 5547 section 8.7), in whatever order they come: what of them
/// belongs where in the file, and when it is whole. Pure: the octets go through, only places are kept.
struct FileAssembly {
    /// The longest CPIM head around a file, in octets.
    static let longestWrapper = 16 * 1024

    /// Octets of the file as announced; nil: nothing was said.
    let announced: Int?
    /// Whether a message/cpim is a wrapper, and not the file.
    let unwraps: Bool
    /// How many stretches with others missing between them there may be.
    let mostGaps: Int

    /// Why a chunk isn't taken, and what that makes of the transfer (nil: nothing).
    struct Refusal: Error, Equatable {
        let status: Status
        let failure: FileFailure?

        static let wrongSize = Refusal(status: .stopSending, failure: .wrongSize)
        /// Another message, or one in a form nobody needs.
        static let unwanted = Refusal(status: .stopSending, failure: nil)
    }

    enum End: Equatable {
        /// More is to come.
        case more
        /// The file has all its octets: so many.
        case whole(Int)
        /// The sender gave it up.
        case aborted
        case wrongSize
    }

    private enum Wrapping {
        case unknown
        case bare
        /// The head so far.
        case opening(WrapperHead)
        /// So many octets before the file.
        case wrapped(Int)
    }

    private(set) var messageID: MessageID?
    private var wrapping = Wrapping.unknown
    private var coverage = Coverage()
    /// Octets of the message, once `$` has said it.
    private var size: Int?
    /// Where the chunk under way has come to in the message.
    private(set) var position = 0

    init(announced: Int?, unwraps: Bool, mostGaps: Int) {
        self.announced = announced
        self.unwraps = unwraps
        self.mostGaps = mostGaps
    }

    /// Octets that are there without a gap, of the file.
    var prefix: Int { max(0, coverage.prefix - wrapperSize) }

    /// What is there already of an interrupted transfer.
    mutating func resume(at offset: Int) {
        if offset > 0 { _ = coverage.insert(0..<offset, most: mostGaps) }
    }

    /// Whether the octets without a gap are the file's first.
    var isResumable: Bool {
        if case .opening = wrapping { false } else if case .wrapped = wrapping { false } else { prefix > 0 }
    }

    /// Whether the message was a wrapper around the file.
    var isWrapped: Bool { if case .wrapped = wrapping { true } else { false } }
    private var wrapperSize: Int { if case .wrapped(let size) = wrapping { size } else { 0 } }

    // MARK: A chunk

    /// - Returns: the size of the file, if this chunk tells it.
    mutating func begin(_ id: MessageID, range: ByteRange, contentType: String) throws(Refusal) -> Int? {
        if messageID == nil {
            messageID = id
            let isWrapper = contentType.lowercased().hasPrefix("message/cpim")
            wrapping = isWrapper && unwraps ? .opening(WrapperHead()) : .bare
            // Its octets are counted with the wrapper.
            if case .opening = wrapping { coverage = Coverage() }
        }
        guard messageID == id else { throw .unwanted }
        guard let start = Int(exactly: range.start), start <= Int.max / 2 else { throw .wrongSize }
        position = start - 1
        guard let total = range.total else {
            try judge(position)
            return nil
        }
        guard let total = Int(exactly: total), total <= Int.max / 2, position <= total else { throw .wrongSize }
        switch wrapping {
        case .bare, .unknown:
            if let announced, total != announced { throw .wrongSize }
            return total
        case .opening:
            if let announced, total < announced { throw .wrongSize }
            return nil
        case .wrapped(let head):
            if let announced, total != announced + head { throw .wrongSize }
            return total - head
        }
    }

    /// The next octets of the chunk.
    /// - Returns: what of them belongs to the file, and where.
    mutating func take(_ bytes: ByteBuffer) throws(Refusal) -> (bytes: ByteBuffer, offset: Int)? {
        var bytes = bytes
        if case .opening(var head) = wrapping {
            guard position == head.count else { throw Refusal(status: .stopSending, failure: .abandoned) }
            let before = bytes.readableBytes
            let isOver = head.take(&bytes)
            let taken = before - bytes.readableBytes
            guard head.count <= Self.longestWrapper else { throw Refusal(status: .stopSending, failure: .abandoned) }
            _ = coverage.insert(position..<position + taken, most: mostGaps)
            position += taken
            wrapping = isOver ? .wrapped(head.count) : .opening(head)
            guard isOver else { return nil }
        }
        guard bytes.readableBytes > 0 else { return nil }
        let start = position
        // At most half of Int.max before, and a read's octets more.
        position += bytes.readableBytes
        let head = wrapperSize
        guard start >= head else { throw .wrongSize }
        try judge(position)
        guard coverage.insert(start..<position, most: mostGaps) else {
            throw Refusal(status: .stopSending, failure: .limit)
        }
        return (bytes, start - head)
    }

    mutating func end(_ continuation: Continuation) -> End {
        switch continuation {
        case .aborted: return .aborted
        case .complete: size = position
        case .more: break
        }
        guard let size, coverage.prefix >= size else { return .more }
        guard size >= wrapperSize, coverage.end <= size else { return .wrongSize }
        let length = size - wrapperSize
        if case .opening = wrapping { return .wrongSize }
        if let announced, announced != length { return .wrongSize }
        return .whole(length)
    }

    private func judge(_ end: Int) throws(Refusal) {
        guard let announced else { return }
        if case .opening = wrapping { return }
        guard end <= announced + wrapperSize else { throw .wrongSize }
    }
}

/// Where octets of a message are there.
struct Coverage {
    /// In order, with gaps between them.
    private(set) var stretches: [Range<Int>] = []

    /// Octets from the beginning without a gap.
    var prefix: Int {
        guard let first = stretches.first, first.lowerBound == 0 else { return 0 }
        return first.upperBound
    }

    var end: Int { stretches.last?.upperBound ?? 0 }

    /// - Returns: false when there would be more than `most` gaps; nothing is added then.
    mutating func insert(_ range: Range<Int>, most: Int) -> Bool {
        guard !range.isEmpty else { return true }
        // Nearly always it goes on where the last one ended.
        if let last = stretches.last, last.upperBound == range.lowerBound {
            stretches[stretches.count - 1] = last.lowerBound..<range.upperBound
            return true
        }
        let first = stretches.firstIndex { $0.upperBound >= range.lowerBound } ?? stretches.count
        let next = stretches[first...].firstIndex { $0.lowerBound > range.upperBound } ?? stretches.count
        if first == next {
            guard stretches.count <= most else { return false }
            stretches.insert(range, at: first)
        } else {
            let lower = min(range.lowerBound, stretches[first].lowerBound)
            let upper = max(range.upperBound, stretches[next - 1].upperBound)
            stretches.replaceSubrange(first..<next, with: [lower..<upper])
        }
        return true
    }
}

/// The head of a CPIM message while it comes in: message headers, a blank line, MIME headers, a blank line (RFC 3862
/// section 2). In the examples of RFC 5547 section 9.1 the MIME headers stand among the first; then there is one blank line.
struct WrapperHead {
    private(set) var count = 0
    private var line: [UInt8] = []
    private var hasContentType = false
    private var isInner = false

    /// Takes octets off the front.
    /// - Returns: whether the head is over.
    mutating func take(_ bytes: inout ByteBuffer) -> Bool {
        while count <= FileAssembly.longestWrapper, let octet = bytes.readInteger(as: UInt8.self) {
            count += 1
            guard octet == UInt8(ascii: "\n") else {
                line.append(octet)
                continue
            }
            if line.last == UInt8(ascii: "\r") { line.removeLast() }
            defer { line = [] }
            if line.isEmpty {
                if isInner || hasContentType { return true }
                isInner = true
            } else if String(decoding: line.prefix(13), as: UTF8.self).lowercased() == "content-type:" {
                hasContentType = true
            }
        }
        return false
    }
}
