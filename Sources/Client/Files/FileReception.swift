import MSRP

/// One file as its receiver sees it: what each request means, and how it is answered. A pure machine.
///
/// The chunks of one message have to come in order, as they do over one way through TCP; they are stored as they come.
struct FileReception: Sendable {
    enum OnHead: Equatable, Sendable {
        /// Nothing to do until the end.
        case none
        /// The sender asks how much of a file is here already; answered with `offset(of:)`.
        case wantsOffset(name: String, size: UInt64?)
        /// A file begins, or goes on where an earlier session left it (`offset` is not 0).
        case begins(name: String, total: UInt64?, offset: UInt64)
    }

    enum OnEnd: Equatable, Sendable {
        case none
        /// Answer with 200, and with a REPORT about this stretch if the sender wants one.
        case chunk(ByteRange)
        /// The same, but the REPORT comes when the file is stored.
        case complete(ByteRange)
        /// The sender gave up.
        case aborted
        /// Answer so.
        case answer(Status)
        /// The answer to FILE_OFFSET is due, at once or when it is known.
        case offset
    }

    private enum Incoming: Sendable {
        case nothing
        case answer(Status)
        case offset
        /// A chunk that began at this octet, counted from 0.
        case chunk(start: UInt64)
    }

    /// What our answer to FILE_OFFSET, or our offer's file-range, allows the sender to leave out.
    struct Agreement: Equatable, Sendable {
        var offset: UInt64
        /// Of the whole file, where a file-range was asked for.
        var size: UInt64?
    }

    private let sessionKey: String
    /// Octets that a file may have.
    private let largest: UInt64
    private var incoming = Incoming.nothing
    private var isFailed = false
    /// Where the message begins within the file: MSRP counts the stretch that a file-range asks for from 1, wherever in the
    /// file it lies (RFC 5547 section 6).
    private var base: UInt64 = 0
    /// The message that is the file.
    private(set) var message: MessageID?
    /// Octets of the file that are here.
    private(set) var length: UInt64 = 0
    /// Nil while the sender hasn't said it.
    private(set) var total: UInt64?
    private(set) var isComplete = false
    var agreement: Agreement?
    /// The request whose parts are coming.
    private(set) var head: Head?

    init(sessionKey: String, largest: UInt64 = .max) {
        self.sessionKey = sessionKey
        self.largest = largest
    }

    mutating func received(_ head: Head) -> OnHead {
        incoming = .nothing
        self.head = nil
        guard let method = head.method, method != .report else { return .none }
        self.head = head
        if head.defect != nil { return refuse(.badRequest) }
        guard let toPath = head.toPath, head.fromPath != nil else { return refuse(.badRequest) }
        guard toPath.uris.count == 1, toPath.first.sessionKey.map(String.init) == sessionKey else {
            return refuse(.noSuchSession)
        }
        switch method {
        case .send: return send(head)
        case .fileOffset:
            incoming = .offset
            let file = head.value("Content-Disposition").map(ContentDisposition.init(parsing:))
            return .wantsOffset(name: FileName.sanitised(file?.filename), size: file?.size)
        case .auth, .nickname, .report, .other: return refuse(.unknownMethod)
        }
    }

    private mutating func send(_ head: Head) -> OnHead {
        guard let messageID = head.messageID, let range = head.has("Byte-Range") ? head.byteRange : .whole else {
            return refuse(.badRequest)
        }
        if messageID != message, !head.hasBody || head.contentType == nil {
            // The bind, or a keep-alive.
            incoming = .answer(.ok)
            return .none
        }
        let start = range.start - 1
        guard let message else {
            guard start == 0 || start == agreement?.offset else { return refuse(.stopSending) }
            if start == 0, let agreement, let size = agreement.size, agreement.offset <= min(size, largest),
                range.total.map({ $0 == size - agreement.offset }) ?? true
            {
                base = agreement.offset
            }
            guard range.total ?? 0 <= largest - base else { return refuse(.stopSending) }
            message = messageID
            length = base + start
            total = range.total.map { $0 + base }
            incoming = .chunk(start: start)
            let file = head.value("Content-Disposition").map(ContentDisposition.init(parsing:))
            return .begins(name: FileName.sanitised(file?.filename), total: total, offset: length)
        }
        guard message == messageID, !isComplete, !isFailed, start == length - base,
            range.total == nil || range.total == total.map({ $0 - base })
        else { return refuse(.stopSending) }
        incoming = .chunk(start: start)
        return .none
    }

    private mutating func refuse(_ status: Status) -> OnHead {
        incoming = .answer(status)
        return .none
    }

    /// Octets of a body came.
    /// - Returns: whether they are to be stored.
    mutating func receivedBody(_ count: Int) -> Bool {
        guard case .chunk = incoming else { return false }
        let (sum, overflow) = length.addingReportingOverflow(UInt64(count))
        guard !overflow, sum <= min(total ?? largest, largest) else {
            fail(.stopSending)
            return false
        }
        length = sum
        return true
    }

    /// The file can't be stored: the sender is told to stop.
    mutating func fail(_ status: Status) {
        isFailed = true
        incoming = .answer(status)
    }

    mutating func receivedEnd(_ continuation: Continuation) -> OnEnd {
        defer { incoming = .nothing }
        switch incoming {
        case .nothing: return .none
        case .answer(let status): return .answer(status)
        case .offset: return .offset
        case .chunk(let start):
            let range = ByteRange(start: start + 1, end: length - base, total: total.map { $0 - base })
            switch continuation {
            case .more: return .chunk(range)
            case .aborted:
                isFailed = true
                return .aborted
            case .complete:
                guard total == nil || total == length else {
                    isFailed = true
                    return .answer(.badRequest)
                }
                isComplete = true
                return .complete(ByteRange(start: start + 1, end: length - base, total: length - base))
            }
        }
    }
}
