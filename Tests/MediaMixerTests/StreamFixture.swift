import MediaMixer
import NIOCore
import Support

/// A large message that a participant sends chunk by chunk.
final class LargeMessage {
    let body: [UInt8]
    let messageID: String
    private let sender: TestParticipant
    private let total: String
    private(set) var sent = 0

    /// - Parameter total: what Byte-Range says; nil: the truth.
    init(_ body: [UInt8], messageID: String = "large", from sender: TestParticipant, total: String? = nil) {
        self.body = body
        self.messageID = messageID
        self.sender = sender
        self.total = total ?? "\(body.count)"
    }

    /// So many more octets as one chunk; the status it was answered with.
    @discardableResult
    func send(_ count: Int, flag: Character = "+", extra: String = "") throws -> Int {
        try sender.msrp.response(to: post(count, flag: flag, extra: extra)).status
    }

    /// The same, without waiting; the chunk's transaction.
    @discardableResult
    func post(_ count: Int, flag: Character = "+", extra: String = "") throws -> String {
        let id = sender.msrp.newID()
        try sender.msrp.stream.send(
            sender.msrp.sendBytes(
                id: id, messageID: messageID, byteRange: "\(sent + 1)-*/\(total)", extra: extra,
                body: Array(body[sent..<sent + count]), flag: flag))
        sent += count
        return id
    }

    /// All that is left, as the last chunk.
    @discardableResult
    func finish(extra: String = "") throws -> Int { try send(body.count - sent, flag: "$", extra: extra) }
}

/// The chunks of the messages that a participant gets, put together.
final class Chunks {
    struct Whole {
        var body: [UInt8] = []
        var chunks = 0
        /// Of the last chunk.
        var flag: Character = "+"
    }

    private let client: RawMSRPClient
    private(set) var messages: [String: Whole] = [:]
    private(set) var last: MSRPFrame?

    init(_ client: RawMSRPClient) { self.client = client }

    /// Reads one more SEND.
    @discardableResult
    func next(within seconds: Double = 10) throws -> MSRPFrame {
        let chunk = try client.nextMessage(within: seconds)
        var whole = messages[chunk.messageID] ?? Whole()
        let start = chunk["Byte-Range"]?.split(separator: "-").first.flatMap { Int($0) } ?? 1
        guard start == whole.body.count + 1, whole.flag == "+" else {
            throw SupportError("a chunk starts at \(start) after \(whole.body.count) octets")
        }
        whole.body += chunk.body ?? []
        whole.chunks += 1
        whole.flag = chunk.flag
        messages[chunk.messageID] = whole
        last = chunk
        return chunk
    }

    /// Reads until a message has ended, with `$` or `#`.
    func ended() throws -> Whole {
        while true {
            let chunk = try next()
            if chunk.flag != "+", let whole = messages[chunk.messageID] { return whole }
        }
    }
}

extension MixerFixture {
    /// Messages above 10,000 octets are passed on as they come.
    static func streaming(
        _ adjust: (inout MixerConfiguration) -> Void = { _ in }, inRoom: (inout RoomConfiguration) -> Void = { _ in }
    ) async throws -> MixerFixture {
        var configuration = MixerConfiguration()
        configuration.maximumUnchunkedSize = 10_000
        adjust(&configuration)
        return try await MixerFixture(configuration: configuration, inRoom: inRoom)
    }
}

extension TestParticipant {
    /// CPIM of so many octets, all different from place to place.
    func large(_ size: Int, to: String? = nil) -> [UInt8] {
        var body = cpim("", to: to)
        var value: UInt32 = 1
        body.reserveCapacity(size)
        while body.count < size {
            value = value &* 1_664_525 &+ 1_013_904_223
            body.append(UInt8(truncatingIfNeeded: value >> 24))
        }
        return body
    }
}
