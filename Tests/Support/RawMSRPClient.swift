import Foundation

/// An MSRP endpoint on a bare socket. It answers SENDs with 200 when it reads them (unless told not to) and does
/// nothing else by itself.
package final class RawMSRPClient: @unchecked Sendable {
    // Unchecked: one thread uses it at a time.
    package let stream: ByteStream
    package let remotePath: String
    package let localPath: String
    package var answersRequests = true

    private var received = [UInt8]()
    private var consumed = 0
    private var responses = [String: MSRPFrame]()
    private var requests = [MSRPFrame]()
    private var counter = 0
    private let nonce = String(UInt32.random(in: 0x1000_0000...UInt32.max), radix: 16)

    package init(stream: ByteStream, remotePath: String, localPath: String) {
        self.stream = stream
        self.remotePath = remotePath
        self.localPath = localPath
    }

    /// Connects to the host and port of the remote path, with TLS for msrps.
    package convenience init(
        remotePath: String, localPath: String, identity: (certificate: [UInt8], key: [UInt8])? = nil
    ) throws {
        let address = try Self.address(of: remotePath)
        let stream =
            remotePath.hasPrefix("msrps:")
            ? try TLSByteStream(to: address, identity: identity) : try ByteStream(to: address)
        self.init(stream: stream, remotePath: remotePath, localPath: localPath)
    }

    package static func address(of path: String) throws -> SocketAddress {
        guard let slashes = path.range(of: "://") else { throw SupportError("no path: `\(path)`") }
        let authority = path[slashes.upperBound...].prefix { $0 != "/" }
        guard let colon = authority.lastIndex(of: ":"), let port = UInt16(authority[authority.index(after: colon)...])
        else { throw SupportError("no port in `\(path)`") }
        return SocketAddress(host: String(authority[..<colon]), port: port)
    }

    /// 15 hexadecimal digits, as the client of interop.md writes them.
    package func newID() -> String {
        counter += 1
        return nonce + String(repeating: "0", count: 7 - String(counter, radix: 16).count) + String(counter, radix: 16)
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
            if bytes.isEmpty { throw SupportError("confd closed the MSRP connection of \(localPath)") }
            received += bytes
        }
    }

    private func readAndSort(_ deadline: Deadline) throws -> Bool {
        guard let frame = try read(deadline) else { return false }
        if frame.isResponse {
            responses[frame.transactionID] = frame
        } else {
            if answersRequests, frame.word != "REPORT" { try respond(to: frame) }
            requests.append(frame)
        }
        return true
    }

    package func respond(to request: MSRPFrame, _ status: String = "200 OK") throws {
        let to = request["From-Path"]?.split(separator: " ").first.map(String.init) ?? ""
        try stream.send(
            "MSRP \(request.transactionID) \(status)\r\nTo-Path: \(to)\r\nFrom-Path: \(localPath)\r\n"
                + "-------\(request.transactionID)$\r\n")
    }

    /// The next request (SEND, REPORT) in order of arrival.
    package func next(within seconds: Double = 10) throws -> MSRPFrame {
        guard let frame = try nextIfAny(within: seconds) else {
            throw SupportError("no MSRP request came to \(localPath)")
        }
        return frame
    }

    package func nextIfAny(within seconds: Double) throws -> MSRPFrame? {
        let deadline = Deadline.after(seconds: seconds)
        while requests.isEmpty {
            if try !readAndSort(deadline) { return nil }
        }
        return requests.removeFirst()
    }

    /// The next SEND that carries something; REPORTs and empty SENDs before it are dropped.
    package func nextMessage(within seconds: Double = 10) throws -> MSRPFrame {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            if let index = requests.firstIndex(where: { $0.word == "SEND" && $0.body != nil }) {
                return requests.remove(at: index)
            }
            if try !readAndSort(deadline) { throw SupportError("no message came to \(localPath)") }
        }
    }

    /// The next message put together from its chunks, which must come in order; how many there were.
    package func nextWhole(within seconds: Double = 30) throws -> (body: [UInt8], chunks: Int) {
        var body = [UInt8]()
        var chunks = 0
        while true {
            let chunk = try nextMessage(within: seconds)
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
        let deadline = Deadline.after(seconds: seconds)
        while true {
            if let response = responses.removeValue(forKey: id) { return response }
            if try !readAndSort(deadline) { throw SupportError("no response to \(id) came to \(localPath)") }
        }
    }

    // MARK: Writing

    /// A SEND as it goes over the wire; without a body there is no Content-Type either.
    package func sendBytes(
        id: String, messageID: String? = nil, byteRange: String? = nil, contentType: String = "message/cpim",
        extra: String = "", body: [UInt8]?, flag: Character = "$"
    ) -> [UInt8] {
        let count = body?.count ?? 0
        let range = byteRange ?? (count > 0 ? "1-\(count > 2048 ? "*" : "\(count)")/\(count)" : "1-0/0")
        var text = "MSRP \(id) SEND\r\nTo-Path: \(remotePath)\r\nFrom-Path: \(localPath)\r\n"
        text += "Message-ID: \(messageID ?? "m\(id)")\r\nByte-Range: \(range)\r\n\(extra)"
        guard let body else { return Array("\(text)-------\(id)\(flag)\r\n".utf8) }
        return Array("\(text)Content-Type: \(contentType)\r\n\r\n".utf8) + body
            + Array("\r\n-------\(id)\(flag)\r\n".utf8)
    }

    /// The empty SEND that binds the session to this connection (RFC 4975 section 5.4); its response.
    @discardableResult
    package func bind() throws -> MSRPFrame {
        let id = newID()
        try stream.send(sendBytes(id: id, body: nil))
        return try response(to: id)
    }

    func requireBind() throws {
        let bound = try bind()
        guard bound.status == 200 else { throw SupportError("the bind was answered \(bound.word)") }
    }

    /// Sends without waiting for the response; the transaction id.
    @discardableResult
    package func post(_ body: [UInt8], contentType: String = "message/cpim", extra: String = "") throws -> String {
        let id = newID()
        try stream.send(sendBytes(id: id, contentType: contentType, extra: extra, body: body))
        return id
    }

    /// CPIM with the line ends of the client of interop.md: CRLF outside, a bare LF inside.
    package static func cpim(from: String, to: String, _ text: String, headers: String = "") -> [UInt8] {
        Array(
            ("From: <\(from)>\r\nTo: <\(to)>\r\nDateTime: 2026-11-21T00:18:48.569999+00:00\r\n\(headers)\r\n"
                + "MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf8\"\n\n\(text)").utf8)
    }
}
