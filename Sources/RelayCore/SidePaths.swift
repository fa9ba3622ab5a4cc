import Glibc
import MSRP
import MSRPTransport
import NIOCore

/// The paths that one side's requests of a session carry, fixed when the first is accepted (RFC 4976 section 6.4).
///
/// The first URI of To-Path is ours by its session-id alone, since peers behind address rewriting agree with us on that
/// only. Requests that repeat the path lines of the last accepted one are recognised by their octets.
struct SidePaths {
    enum Verdict: Equatable {
        /// Goes on to the other side.
        case accepted
        /// Nobody is named behind us.
        case toUs
        case refused(Status)
    }

    /// The way to this side: its From-Path, as written. Empty: not known yet.
    private(set) var from: ByteBuffer
    /// What is behind our URI in this side's To-Path. Empty: not known yet.
    private(set) var to = ByteBuffer()
    /// Our URI as this side writes it.
    private(set) var own = ByteBuffer()
    /// For `Frame.writeForwarded`: the path lines of this side's requests behind us.
    private(set) var sendLines = ByteBuffer()
    /// For `Frame.writeOK`: answers to this side.
    private(set) var okTail = ByteBuffer()
    private var known: [UInt8] = []

    /// - Parameter from: the way to this side, if it is settled.
    init(from: ByteBuffer = ByteBuffer()) {
        self.from = from
    }

    var isFixed: Bool { !known.isEmpty }

    /// - Parameters:
    ///   - session: our session-id.
    ///   - other: the way to the other side, as far as it is known.
    mutating func judge(_ head: Head, session: SessionID, other: ByteBuffer) -> Verdict {
        if isKnown(head) { return .accepted }
        let verdict = Self.compare(head, session: session, from: from, to: to, other: other)
        if verdict == .accepted { learn(head) }
        return verdict
    }

    /// The same for a REPORT. Relays on the way make them too (RFC 4976 section 6.4.1), and their From-Path ends there.
    mutating func judgeReport(_ head: Head, session: SessionID, other: ByteBuffer) -> Verdict {
        let verdict = judge(head, session: session, other: other)
        guard verdict == .refused(.noSuchSession), let sender = head.fromPath,
            let way = from.withUnsafeReadableBytes({ Path($0) }), sender.uris.count < way.uris.count,
            zip(sender.uris, way.uris).allSatisfy({ $0.isEquivalent(to: $1) })
        else { return verdict }
        return Self.compare(head, session: session, from: ByteBuffer(), to: to, other: other)
    }

    /// The same without taking it as the way from now on (AUTH, whose way ends at a relay).
    func judgeOnce(_ head: Head, session: SessionID) -> Verdict {
        Self.compare(head, session: session, from: from, to: ByteBuffer(), other: ByteBuffer())
    }

    /// Whether a sender with this From-Path is whom another side means by its To-Path: session-ids count, hosts may have
    /// been rewritten between them.
    static func isWay(_ way: ByteBuffer, to from: ByteBuffer) -> Bool {
        way.withUnsafeReadableBytes { Path($0) }.map { isSame($0, from, isStrict: false) } ?? false
    }

    private func isKnown(_ head: Head) -> Bool {
        !known.isEmpty && head.withPathLines { lines in known.withUnsafeBytes { lines.elementsEqualFast($0) } }
    }

    private static func compare(
        _ head: Head, session: SessionID, from: ByteBuffer, to: ByteBuffer, other: ByteBuffer
    ) -> Verdict {
        guard let toPath = head.toPath, let fromPath = head.fromPath else { return .refused(.badRequest) }
        guard let key = toPath.first.sessionKey, key == session.text else { return .refused(.noSuchSession) }
        guard from.readableBytes == 0 || isSame(fromPath, from, isStrict: true) else { return .refused(.noSuchSession) }
        guard let rest = Path(Array(toPath.uris.dropFirst())) else { return .toUs }
        guard to.readableBytes == 0 || isSame(rest, to, isStrict: true),
            other.readableBytes == 0 || isSame(rest, other, isStrict: false)
        else { return .refused(.noSuchSession) }
        return .accepted
    }

    /// - Parameter isStrict: false: URIs with the same session-id are the same, whatever hosts stand before it.
    private static func isSame(_ path: Path, _ text: ByteBuffer, isStrict: Bool) -> Bool {
        guard let known = text.withUnsafeReadableBytes({ Path($0) }), known.uris.count == path.uris.count else {
            return false
        }
        return zip(path.uris, known.uris).allSatisfy { a, b in
            a.isEquivalent(to: b) || (!isStrict && a.sessionKey != nil && a.sessionKey == b.sessionKey)
        }
    }

    private mutating func learn(_ head: Head) {
        guard let split = head.pathSplit else { return }
        head.withUnsafeBytes { bytes in
            let first = UnsafeRawBufferPointer(rebasing: bytes[split.first])
            let rest = UnsafeRawBufferPointer(rebasing: bytes[split.rest])
            let sender = UnsafeRawBufferPointer(rebasing: bytes[split.from])
            let blank = sender.firstIndex { $0 == 0x20 || $0 == 0x09 } ?? sender.count
            from = ByteBuffer(bytes: sender)
            to = ByteBuffer(bytes: rest)
            own = ByteBuffer(bytes: first)
            okTail = Frame.okTail(toPath: UnsafeRawBufferPointer(rebasing: sender[0..<blank]), fromPath: first)
            var lines = ByteBuffer()
            lines.reserveCapacity(first.count + rest.count + sender.count + 40)
            lines.writeStaticString(" SEND\r\nTo-Path: ")
            lines.writeBytes(rest)
            lines.writeStaticString("\r\nFrom-Path: ")
            lines.writeBytes(first)
            lines.writeStaticString(" ")
            lines.writeBytes(sender)
            lines.writeStaticString("\r\n")
            sendLines = lines
        }
        known = head.startsWithPaths ? head.withPathLines { Array($0) } : [0]
    }
}

extension UnsafeRawBufferPointer {
    func elementsEqualFast(_ other: UnsafeRawBufferPointer) -> Bool {
        guard count == other.count else { return false }
        guard let a = baseAddress, let b = other.baseAddress else { return true }
        return memcmp(a, b, count) == 0
    }
}
