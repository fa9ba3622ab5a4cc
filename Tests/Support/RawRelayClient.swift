import Foundation

/// A client of a relay (RFC 4976) on a bare socket, or whoever it talks to: written by hand, with none of the
/// project's modules. It answers SENDs when it reads them, unless told not to, and does nothing else by itself.
package final class RawRelayClient: @unchecked Sendable {
    // Unchecked: one thread uses it at a time.

    /// How SENDs that come are answered when they are read.
    package enum Answer: Sendable, Equatable {
        /// As Failure-Report asks for (RFC 4975 section 7.2): 200, or nothing.
        case honest
        case silent
        /// This status line's end, whatever Failure-Report says.
        case status(String)
    }

    package let stream: ByteStream
    package let dialect: DigestDialect
    /// Our own URI.
    package let uri: String
    /// What the relays gave us (Use-Path), nearest first.
    package var usePath = [String]()
    /// The way to whom we talk, without our own relays; nearest first.
    package var peer = [String]()
    package var answer = Answer.honest
    /// The answer that AUTH was last sent with.
    package internal(set) var lastAnswer: DigestAnswer?

    var received = [UInt8]()
    var consumed = 0
    private var responses = [String: MSRPFrame]()
    private var requests = [MSRPFrame]()
    private var counter = 0
    private var generator: SeededGenerator

    package init(stream: ByteStream, dialect: DigestDialect = .msrplib, secure: Bool? = nil, uri: String? = nil) {
        self.stream = stream
        self.dialect = dialect
        var random = SystemRandomNumberGenerator()
        generator = SeededGenerator(seed: random.next())
        let name = String(random.next(), radix: 16)
        let scheme = secure ?? (stream is TLSByteStream) ? "msrps" : "msrp"
        self.uri = uri ?? "\(scheme)://127.0.0.1:\(stream.localPort)/\(name);tcp"
    }

    package convenience init(
        to address: SocketAddress, tls: Bool = false, dialect: DigestDialect = .msrplib,
        identity: (certificate: [UInt8], key: [UInt8])? = nil
    ) throws {
        let stream = tls ? try TLSByteStream(to: address, identity: identity) : try ByteStream(to: address)
        self.init(stream: stream, dialect: dialect)
    }

    /// What peers get as the way to us (RFC 4976 section 5.1): our relays, outermost first, then ourselves.
    package var path: [String] { usePath.reversed() + [uri] }
    /// To-Path of what we send.
    package var toPath: String { (usePath + peer).joined(separator: " ") }

    private static let letters = Array("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-+%=")

    /// A transaction id: 1 to 64 characters, another length each time, never the same twice.
    package func newID() -> String {
        counter += 1
        if dialect == .kamailio {
            return "t" + String(counter, radix: 36) + String(generator.next(), radix: 36)
        }
        // The first 52 are letters; short ids only while there are fresh ones.
        if counter <= 40 && counter % 8 == 1 { return String(Self.letters[counter]) }
        let length = [64, 9, 33, 16, 4, 50, 12][counter % 7]
        var text = String(counter, radix: 36)
        // No two ids with the same counter, whatever follows: a letter that no number of base 36 has ends it.
        text += "Z"
        while text.count < length {
            text.append(Self.letters[Int.random(in: 0..<Self.letters.count, using: &generator)])
        }
        return text
    }

    // MARK: Reading

    private func read(_ deadline: Deadline) throws -> MSRPFrame? {
        while true {
            if let (frame, end) = try MSRPFrame.parse(received, from: consumed) {
                consumed = end
                if consumed == received.count || consumed > 1 << 20 {
                    received.removeFirst(consumed)
                    consumed = 0
                }
                return frame
            }
            guard let bytes = try stream.receiveIfAny(deadline) else { return nil }
            if bytes.isEmpty { throw SupportError("the relay closed the connection of \(uri)") }
            received += bytes
        }
    }

    private func readAndSort(_ deadline: Deadline) throws -> Bool {
        guard let frame = try read(deadline) else { return false }
        if frame.isResponse {
            if responses[frame.transactionID] != nil { throw SupportError("a second response: \(frame)") }
            responses[frame.transactionID] = frame
        } else {
            try answerIfWanted(frame)
            requests.append(frame)
        }
        return true
    }

    func answerIfWanted(_ request: MSRPFrame) throws {
        guard request.word != "REPORT" else { return }
        switch answer {
        case .silent: break
        case .status(let status): try respond(to: request, status)
        case .honest:
            let report = request["Failure-Report"]?.lowercased() ?? "yes"
            if request.word != "SEND" || report == "yes" { try respond(to: request) }
        }
    }

    /// A response: to a SEND for the previous hop alone, to anything else back along the whole way
    /// (RFC 4975 section 7.2).
    package func respond(to request: MSRPFrame, _ status: String = "200 OK", extra: String = "") throws {
        let from = request["From-Path"]?.split(separator: " ").map(String.init) ?? []
        let to = request.word == "SEND" ? from.first ?? "" : from.joined(separator: " ")
        try stream.send(
            "MSRP \(request.transactionID) \(status)\r\nTo-Path: \(to)\r\nFrom-Path: \(uri)\r\n\(extra)"
                + "-------\(request.transactionID)$\r\n")
    }

    /// The next request in order of arrival.
    package func next(within seconds: Double = 10) throws -> MSRPFrame {
        guard let frame = try nextIfAny(within: seconds) else { throw SupportError("no request came to \(uri)") }
        return frame
    }

    package func nextIfAny(within seconds: Double) throws -> MSRPFrame? {
        let deadline = Deadline.after(seconds: seconds)
        while requests.isEmpty {
            if try !readAndSort(deadline) { return nil }
        }
        return requests.removeFirst()
    }

    /// The next request that the test picks; others stay.
    package func next(within seconds: Double = 10, where wanted: (MSRPFrame) -> Bool) throws -> MSRPFrame {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            if let index = requests.firstIndex(where: wanted) { return requests.remove(at: index) }
            if try !readAndSort(deadline) { throw SupportError("what was wanted did not come to \(uri): \(requests)") }
        }
    }

    /// The next SEND that carries something.
    package func nextMessage(within seconds: Double = 10) throws -> MSRPFrame {
        try next(within: seconds) { $0.word == "SEND" && $0.body != nil }
    }

    package func nextReport(within seconds: Double = 10) throws -> MSRPFrame {
        try next(within: seconds) { $0.word == "REPORT" }
    }

    /// The next message put together from its chunks, which must come in order.
    package func nextWhole(within seconds: Double = 30, messageID: String? = nil) throws -> (body: [UInt8], chunks: Int)
    {
        var body = [UInt8]()
        var chunks = 0
        var id = messageID
        while true {
            let chunk = try next(within: seconds) {
                $0.word == "SEND" && $0.body != nil && (id == nil || $0.messageID == id)
            }
            id = chunk.messageID
            chunks += 1
            let start = chunk["Byte-Range"]?.split(separator: "-").first.flatMap { Int($0) } ?? 1
            guard start == body.count + 1 else {
                throw SupportError("a chunk starts at \(start) after \(body.count) octets")
            }
            body += chunk.body ?? []
            if chunk.flag == "$" { return (body, chunks) }
            if chunk.flag == "#" { throw SupportError("the message was aborted after \(body.count) octets") }
        }
    }

    package func response(to id: String, within seconds: Double = 10) throws -> MSRPFrame {
        guard let response = try responseIfAny(to: id, within: seconds) else {
            throw SupportError("no response to \(id) came to \(uri)")
        }
        return response
    }

    package func responseIfAny(to id: String, within seconds: Double) throws -> MSRPFrame? {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            if let response = responses.removeValue(forKey: id) { return response }
            if try !readAndSort(deadline) { return nil }
        }
    }

    /// Everything that has come and was not asked for, after some more time: for tests of silence.
    package func leftovers(after seconds: Double = 0.3) throws -> [MSRPFrame] {
        let deadline = Deadline.after(seconds: seconds)
        while try readAndSort(deadline) {}
        defer {
            requests.removeAll()
            responses.removeAll()
        }
        return requests + responses.values
    }

    /// Whether the other side closes in time; what it still says can be asked for afterwards.
    package func closes(within seconds: Double) -> Bool {
        let deadline = Deadline.after(seconds: seconds)
        do {
            while try readAndSort(deadline) {}
            return false
        } catch {
            return true
        }
    }

    // MARK: Writing

    /// Any request, as it goes over the wire. `fields` are whole lines.
    package func requestBytes(
        _ method: String, id: String, to: String? = nil, from: String? = nil, fields: String = "",
        contentType: String? = "text/plain", body: [UInt8]? = nil, flag: Character = "$"
    ) -> [UInt8] {
        let head =
            "MSRP \(id) \(method)\r\nTo-Path: \(to ?? toPath)\r\nFrom-Path: \(from ?? uri)\r\n\(fields)"
        guard let body else { return Array("\(head)-------\(id)\(flag)\r\n".utf8) }
        let type = contentType.map { "Content-Type: \($0)\r\n" } ?? ""
        return Array("\(head)\(type)\r\n".utf8) + body + Array("\r\n-------\(id)\(flag)\r\n".utf8)
    }

    /// Sends without waiting; the transaction id.
    @discardableResult
    package func post(
        _ method: String, to: String? = nil, from: String? = nil, fields: String = "",
        contentType: String? = "text/plain", body: [UInt8]? = nil, flag: Character = "$"
    ) throws -> String {
        let id = newID()
        try stream.send(
            requestBytes(
                method, id: id, to: to, from: from, fields: fields, contentType: contentType, body: body, flag: flag))
        return id
    }

    /// Posts a SEND of a whole message the way the dialect's clients write it; the transaction id.
    @discardableResult
    package func postMessage(
        _ body: [UInt8], messageID: String? = nil, range: String? = nil, fields: String = "",
        contentType: String? = "text/plain", flag: Character = "$"
    ) throws -> String {
        let range = range ?? (body.count > 2048 ? "1-*/\(body.count)" : "1-\(body.count)/\(body.count)")
        // In lower case, as msrplib has it, or as the RFC does.
        let name = dialect == .msrplib ? "byte-range" : "Byte-Range"
        return try post(
            "SEND", fields: "Message-ID: \(messageID ?? newMessageID())\r\n\(name): \(range)\r\n\(fields)",
            contentType: contentType, body: body, flag: flag)
    }

    package func newMessageID() -> String { "m" + String(generator.next(), radix: 16) }

    @discardableResult
    package func postMessage(_ text: String, fields: String = "") throws -> String {
        try postMessage(Array(text.utf8), fields: fields)
    }

    /// Sends a text and waits for the response; its status.
    @discardableResult
    package func say(_ text: String, fields: String = "", within seconds: Double = 10) throws -> Int {
        try response(to: try postMessage(text, fields: fields), within: seconds).status
    }

    package func hears(within seconds: Double = 10) throws -> String {
        try nextMessage(within: seconds).bodyText
    }

    /// The empty SEND that binds a session (RFC 4975 section 5.4): without Content-Type.
    @discardableResult
    package func bind() throws -> MSRPFrame {
        try response(to: try post("SEND", fields: emptyFields))
    }

    package var emptyFields: String { "Message-ID: \(newMessageID())\r\nByte-Range: 1-0/0\r\n" }

    /// What msrplib sends every minute; the status of the response.
    @discardableResult
    package func keepAlive() throws -> Int {
        try response(to: try post("SEND", fields: emptyFields + "Keep-Alive: yes\r\n")).status
    }

    package func close() { stream.close() }
}
