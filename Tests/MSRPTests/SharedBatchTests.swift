import MSRP
import NIOCore
import Testing

@Suite("Messages of one turn for many receivers")
struct SharedBatchTests {
    private func tail(_ id: UInt64, _ text: String) -> ByteBuffer {
        Frame.sharedTail(
            id: id, messageID: MessageID(id), contentType: "text/plain", body: ByteBuffer(string: text))
    }

    @Test("a batch is octet for octet what its messages are one by one")
    func octets() {
        let lines = ByteBuffer(string: " SEND\r\nTo-Path: msrp://a;tcp\r\nFrom-Path: msrp://b;tcp\r\n")
        var batch = SharedBatch()
        var expected = ByteBuffer()
        for (id, text) in [(1, "one"), (0xFEDC_BA98_7654_3210, ""), (3, "three")] as [(UInt64, String)] {
            let tail = tail(id, text)
            batch.append(id: id, tail: tail)
            _ = Frame.writeShared(id: id, sendLines: lines, tail: tail, into: &expected)
        }
        var written = ByteBuffer(string: "before")
        batch.write(sendLines: lines, into: &written)
        #expect(String(buffer: written) == "before" + String(buffer: expected))

        batch.removeAll()
        #expect(batch.isEmpty && batch.size == 0)
        batch.append(id: 7, tail: tail(7, "again"))
        var again = ByteBuffer()
        batch.write(sendLines: lines, into: &again)
        var single = ByteBuffer()
        _ = Frame.writeShared(id: 7, sendLines: lines, tail: tail(7, "again"), into: &single)
        #expect(again == single)
    }

    @Test("a batch is registered whole or not at all, and its answers are taken in order")
    func registration() throws {
        var configuration = EndpointSession.Configuration()
        configuration.maxOutstanding = 20
        var session = EndpointSession(
            localPath: try #require(Path("msrp://a/1;tcp")), remotePath: try #require(Path("msrp://b/2;tcp")),
            configuration: configuration)
        func batch(_ ids: ClosedRange<UInt64>) -> SharedBatch {
            var batch = SharedBatch()
            for id in ids { batch.append(id: id, tail: tail(id, "text")) }
            return batch
        }
        func register(_ batch: SharedBatch) -> Bool { session.registerShared(batch, now: .now()) }
        #expect(register(batch(1...3)))
        #expect(register(batch(4...18)))
        #expect(session.outstanding == 18)
        #expect(!register(batch(19...21)))
        #expect(session.outstanding == 18)
        #expect(register(batch(19...20)))
        #expect(session.outstanding == 20)
        let expired = session.expire(now: .now() + .minutes(1))
        #expect(expired.timedOut == Array(1...20))
    }
}
