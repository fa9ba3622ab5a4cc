import CFuzzDriver
import MSRP
import NIOCore

/// The octets are what a peer sends; their sum chooses where they are cut and the session's limits, so that files of
/// Tests/Corpus can be seeds as they are. Whole or cut, the parts must be the same; and a session and its answers must
/// survive them.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzMSRP(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let bytes = Array(UnsafeBufferPointer(start: data, count: size))
    guard !bytes.isEmpty else { return 0 }
    let sum = bytes.reduce(0) { $0 &+ Int($1) }
    let step = sum % 61 + 1
    let whole = parts(of: [bytes[...]])
    let pieces = stride(from: 0, to: size, by: step).map { bytes[$0..<min($0 + step, size)] }
    precondition(parts(of: pieces) == whole, "the parts depend on where the bytes are cut")
    converse(whole.parts, bytes: bytes, sum: sum)
    return 0
}

private struct Outcome: Equatable {
    var parts: [Part] = []
    var error: WireError?
}

private let outgoing = TransactionID(0x6F75_7467_6F69_6E67)

private func parts(of pieces: [ArraySlice<UInt8>]) -> Outcome {
    var parser = PartParser(limits: WireLimits(headBytes: 1024, headers: 12, startLineBytes: 200))
    parser.outgoingID = outgoing
    var buffer = ByteBuffer()
    var outcome = Outcome()
    do throws(WireError) {
        for piece in pieces {
            buffer.writeBytes(piece)
            while let part = try parser.next(&buffer) {
                if case .body(var more) = part, case .body(var before)? = outcome.parts.last {
                    before.writeBuffer(&more)
                    outcome.parts[outcome.parts.count - 1] = .body(before)
                } else {
                    outcome.parts.append(part)
                }
            }
        }
    } catch {
        outcome.error = error
    }
    return outcome
}

/// The session that the first message names hears the parts and writes answers, which must be whole messages of ours.
private func converse(_ parts: [Part], bytes: [UInt8], sum: Int) {
    let tight = sum & 64 == 0
    guard case .head(let first)? = parts.first, let uri = first.toPath?.first, uri.sessionID != nil,
        let theirs = Path("msrp://p:2/t;tcp")
    else { return }
    let ours = Path(uri)
    let limits =
        tight
        ? EndpointSession.Configuration(
            maxMessageSize: 16, maxMessagesInReassembly: 2, maxReassemblyBytes: 24, maxGapsInMessage: 2,
            maxUnchunked: 8, maxQueuedMessages: 1, maxOutstanding: 3, maxRequestBody: 8, streamAbove: 6,
            maxStreams: 1, chunkReceptionTime: .seconds(30))
        : EndpointSession.Configuration(maxMessageSize: 4096, streamAbove: sum & 128 == 0 ? 12 : nil)
    var session = EndpointSession(
        localPath: ours, remotePath: theirs, configuration: limits, ids: IDGenerator(sequenceFrom: 0))
    var output = ByteBuffer()
    var now = NIODeadline.uptimeNanoseconds(1)
    _ = session.registerShared(id: 0, now: now)
    _ = try? session.sendEmpty(now: now, into: &output)
    if let id = MessageID("m") {
        let message = OutgoingMessage(messageID: id, contentType: "a/b", body: ByteBuffer(string: "0123456789"))
        try? session.send(message, now: now, into: &output)
    }
    var raw = ByteBuffer(bytes: bytes)
    // What was handed up of each stream; the owner refuses every other one in its middle.
    var streams: [MessageID: Int] = [:]
    func handedUp(_ octets: ByteBuffer, of id: MessageID) {
        guard let size = streams[id] else { preconditionFailure("octets of a stream that is not there") }
        precondition(octets.readableBytes > 0 && size + octets.readableBytes <= limits.maxMessageSize)
        streams[id] = size + octets.readableBytes
        if size > 4, sum & 256 == 0 {
            session.refuseStream(id, .forbidden, into: &output)
            streams[id] = nil
        }
    }
    for part in parts {
        _ = session.consumeExpectedResponses(&raw)
        switch session.receive(part, now: now, into: &output) {
        case .message(let message, let pending):
            precondition(message.body.readableBytes <= limits.maxMessageSize)
            session.respond(pending, .ok, into: &output)
            session.report(on: message, .ok, into: &output)
        case .request(_, let body, let pending):
            precondition(body.readableBytes <= limits.maxRequestBody)
            session.respond(pending, .nicknameUnavailable, into: &output)
        case .streamBegan(let stream, let octets):
            precondition(streams.updateValue(0, forKey: stream.messageID) == nil && streams.count <= limits.maxStreams)
            handedUp(octets, of: stream.messageID)
        case .streamOctets(let id, let octets):
            handedUp(octets, of: id)
        case .streamChunkEnded(let id):
            precondition(streams[id] != nil)
        case .streamEnded(let id, let end):
            precondition(streams.removeValue(forKey: id) != nil)
            if case .complete(let pending) = end { session.respond(pending, .ok, into: &output) }
        default: break
        }
        if case .head(let head) = part {
            _ = head.comment
            _ = head.fields.map { (head.name(of: $0), head.value(of: $0)) }
            if let path = head.toPath { precondition(Path(path.description) == path) }
            Frame.writeRefusal(of: head, status: .noSuchSession, into: &output)
        }
        _ = session.nextChunk(now: now, limit: 1, into: &output)
        now = now + .seconds(10)
        _ = session.expire(now: now)
        for id in session.expireStreams(now: now) { precondition(streams.removeValue(forKey: id) != nil) }
        precondition(streams.count <= session.streams)
        while session.nextDelivery() != nil {}
    }
    check(output)
}

/// What we wrote must be read back without an error, a defect or a remainder.
private func check(_ output: ByteBuffer) {
    var parser = PartParser()
    var buffer = output
    do throws(WireError) {
        while let part = try parser.next(&buffer) {
            if case .head(let head) = part {
                precondition(head.defect == nil && head.toPath != nil && head.fromPath != nil)
            }
        }
    } catch {
        preconditionFailure("we wrote what we cannot read: \(error)")
    }
    precondition(parser.isAtMessageStart && buffer.readableBytes == 0, "we wrote half a message")
}

var arguments = CommandLine.argc
var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
_ = LLVMFuzzerRunDriver(&arguments, &values) { fuzzMSRP($0, $1) }
