import MSRP
import NIOCore
import Testing

@testable import RelayCore

@Suite struct HopStateTests {
    let start = NIODeadline.uptimeNanoseconds(1_000_000_000)
    var later: NIODeadline { start + .seconds(30) }

    func begin(_ hop: inout HopState, _ id: UInt64, _ name: String, isQuiet: Bool = false) {
        Array(name.utf8).withUnsafeBytes {
            hop.began(id, messageID: $0, start: 1, total: 10, isQuiet: isQuiet)
        }
    }

    func send(_ hop: inout HopState, _ id: UInt64, _ name: String, isQuiet: Bool = false) {
        begin(&hop, id, name, isQuiet: isQuiet)
        hop.ended(id, size: 10, now: start)
    }

    func failure(_ name: String, _ status: Status, size: UInt64? = 10) throws -> HopState.Failure {
        HopState.Failure(
            messageID: try #require(MessageID(name)), range: ByteRange(start: 1, end: size, total: 10), status: status)
    }

    func response(_ id: UInt64, _ status: String) throws -> Head {
        var parser = PartParser()
        let id = TransactionID(id)
        var bytes = ByteBuffer(
            string: "MSRP \(id) \(status)\r\nTo-Path: msrp://r/s;tcp\r\nFrom-Path: msrp://p/x;tcp\r\n-------\(id)$\r\n")
        guard case .head(let head) = try parser.next(&bytes) else { throw WireError(.notMSRP) }
        return head
    }

    @Test("RFC 4976 6.4.1: a SEND without an answer for 30 s fails with 408, no sooner")
    func timeout() throws {
        var hop = HopState()
        send(&hop, 1, "m1")
        #expect(hop.expire(now: later - .nanoseconds(1)) == [])
        #expect(hop.expire(now: later) == [try failure("m1", .timeout)])
        #expect(hop.count == 0)
    }

    @Test("RFC 4976 6.4.1: the 30 s begin with the last octet of the SEND")
    func timerStart() throws {
        var hop = HopState()
        begin(&hop, 1, "m1")
        #expect(hop.expire(now: later) == [])
        hop.ended(1, size: 10, now: later)
        #expect(hop.expire(now: later + .seconds(29)) == [])
        #expect(hop.expire(now: later + .seconds(30)) == [try failure("m1", .timeout)])
    }

    @Test("RFC 4976 6.4.3: a 200 settles a SEND, any other answer is its failure", arguments: [403, 413, 481, 501])
    func answers(code: Int) throws {
        var hop = HopState()
        send(&hop, 1, "m1")
        send(&hop, 2, "m2")
        let failed = hop.answered(2, try response(2, "\(code) No"), Status(code))
        #expect(failed == (try failure("m2", Status(code))))
        #expect(hop.answered(1, try response(1, "200 OK"), .ok) == nil)
        #expect(hop.count == 0)
        #expect(hop.answered(1, try response(1, "481 No"), .noSuchSession) == nil)
    }

    @Test("RFC 4975 7.1.1: with Failure-Report partial silence is consent, errors are not")
    func partial() throws {
        var hop = HopState()
        send(&hop, 1, "m1", isQuiet: true)
        send(&hop, 2, "m2", isQuiet: true)
        #expect(hop.answered(2, try response(2, "413 No"), .stopSending) == (try failure("m2", .stopSending)))
        #expect(hop.expire(now: later) == [])
        #expect(hop.count == 0)
    }

    @Test("when the next hop is gone all that is unanswered has failed, of partial ones what was not sent whole")
    func abandon() throws {
        var hop = HopState()
        send(&hop, 1, "m1")
        send(&hop, 2, "m2", isQuiet: true)
        send(&hop, 3, "m3")
        #expect(hop.answered(3, try response(3, "200 OK"), .ok) == nil)
        begin(&hop, 4, "m4", isQuiet: true)
        #expect(hop.abandon() == [try failure("m1", .timeout), try failure("m4", .timeout, size: nil)])
        #expect(hop.count == 0)
    }

    @Test("plain 200s are taken in order by their octets, after the first was learnt")
    func expectedAnswers() throws {
        var hop = HopState()
        for id in 1...100 as ClosedRange<UInt64> { send(&hop, id, "m\(id)") }
        #expect(hop.answered(1, try response(1, "200 OK"), .ok) == nil)
        var bytes = ByteBuffer()
        for id in 2...100 as ClosedRange<UInt64> {
            let head = try response(id, "200 OK")
            bytes.writeImmutableBuffer(head.bytes)
            bytes.writeString("-------\(TransactionID(id))$\r\n")
        }
        bytes.writeString("MSRP ")
        hop.takeExpectedAnswers(&bytes)
        #expect(hop.count == 0)
        #expect(bytes.readableBytes == 5)
    }

    @Test("one SEND without an answer does not take the room of those after it")
    func gaps() throws {
        var hop = HopState()
        for id in 1...UInt64(HopState.mostOutstanding) { send(&hop, id, "m\(id)") }
        #expect(hop.isFull)
        for id in 1...UInt64(HopState.mostOutstanding) where id != 10 {
            #expect(hop.answered(id, try response(id, "200 OK"), .ok) == nil)
        }
        #expect(!hop.isFull)
        #expect(hop.count <= 32)
        send(&hop, 5000, "next")
        #expect(hop.answered(5000, try response(5000, "413 No"), .stopSending) == (try failure("next", .stopSending)))
        #expect(hop.expire(now: later) == [try failure("m10", .timeout)])
        #expect(hop.count == 0)
    }

    @Test("RFC 4976 6.4.3: the report on a SEND that failed before its end leaves the end open")
    func unfinished() throws {
        var hop = HopState()
        begin(&hop, 1, "m1")
        let failed = hop.answered(1, try response(1, "413 No"), .stopSending)
        #expect(failed?.range == ByteRange(start: 1, end: nil, total: 10))
    }

    @Test("no more than mostOutstanding are remembered; those that want no 200 make room")
    func bounds() {
        var hop = HopState()
        for id in 1...UInt64(HopState.mostOutstanding) { send(&hop, id, "m", isQuiet: true) }
        #expect(!hop.isFull)
        send(&hop, 99_999, "m")
        #expect(hop.count == HopState.mostOutstanding)
        for id in 1..<UInt64(HopState.mostOutstanding) { send(&hop, 100_000 + id, "m") }
        #expect(hop.isFull)
        #expect(hop.count == HopState.mostOutstanding)
    }

    @Test("a Message-ID may be longer than any transaction identifier")
    func longName() throws {
        var hop = HopState()
        let name = String(repeating: "x", count: 200)
        send(&hop, 1, name)
        #expect(hop.expire(now: later) == [try failure(name, .timeout)])
    }
}
