import Client
import Foundation
import Support
import Synchronization

/// The other end of a client's connection, played by a test: it reads what comes to the octet and answers by hand.
final class FakePeer: @unchecked Sendable {
    // Unchecked: one thread uses it at a time.
    private let stream: ByteStream
    private var bytes: [UInt8] = []

    init(_ stream: ByteStream) { self.stream = stream }

    func next(within seconds: Double = 10) throws -> MSRPFrame {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            if let (frame, end) = try MSRPFrame.parse(bytes, from: 0) {
                bytes.removeFirst(end)
                return frame
            }
            let more = try stream.receive(deadline)
            guard !more.isEmpty else { throw SupportError("the client closed") }
            bytes += more
        }
    }

    /// The next request of this method; others are answered with 200.
    func next(_ method: String) throws -> MSRPFrame {
        while true {
            let frame = try next()
            if frame.word == method { return frame }
            if !frame.isResponse, frame.word != "REPORT" { try answer(frame) }
        }
    }

    func send(_ lines: [String], body: [UInt8]? = nil, id: String, flag: String = "$") throws {
        var text = Array((lines.joined(separator: "\r\n") + "\r\n").utf8)
        if let body { text += Array("\r\n".utf8) + body + Array("\r\n".utf8) }
        try stream.send(text + Array("-------\(id)\(flag)\r\n".utf8))
    }

    /// A response with the paths turned round.
    func answer(_ request: MSRPFrame, _ status: String = "200 OK", _ more: [String] = []) throws {
        try send(
            [
                "MSRP \(request.transactionID) \(status)", "To-Path: \(request["From-Path"] ?? "")",
                "From-Path: \(request["To-Path"] ?? "")",
            ] + more, id: request.transactionID)
    }

    func close() { stream.close() }
    func closes(within seconds: Double) throws -> Bool { try stream.closes(within: seconds) }

    /// Challenges the first AUTH and grants the second.
    /// - Returns: both.
    @discardableResult
    func grant(_ usePath: String, expires: Int? = nil) throws -> (first: MSRPFrame, second: MSRPFrame) {
        let first = try next()
        try answer(
            first, "401 Unauthorized",
            [#"WWW-Authenticate: Digest realm="example.com", qop="auth", nonce="n1", opaque="o1""#])
        let second = try next()
        try answer(second, "200 OK", ["Use-Path: \(usePath)"] + (expires.map { ["Expires: \($0)"] } ?? []))
        return (first, second)
    }
}

/// What happened, in order; a test waits for the next.
final class Journal<Entry: Sendable>: Sendable {
    private let entries = Mutex<[Entry]>([])

    func add(_ entry: Entry) { entries.withLock { $0.append(entry) } }

    var all: [Entry] { entries.withLock { $0 } }

    /// Waits on the calling thread, which is none of the pool's.
    func first<Result>(within seconds: Double = 10, _ pick: (Entry) -> Result?) throws -> Result {
        let deadline = Deadline.after(seconds: seconds)
        while !deadline.passed {
            if let found = all.lazy.compactMap(pick).first { return found }
            usleep(2000)
        }
        throw SupportError("it didn't happen: \(all)")
    }
}

/// Runs what blocks on a thread of its own.
func onThread<Result: Sendable>(_ body: @escaping @Sendable () throws -> Result) async throws -> Result {
    try await withCheckedThrowingContinuation { continuation in
        let thread = Thread { continuation.resume(with: Swift.Result { try body() }) }
        thread.stackSize = 1 << 20
        thread.start()
    }
}

extension RelayReceiver.News {
    var path: String? { if case .ready(let path) = self { path } else { nil } }
    var stored: (path: String, size: UInt64, resumedAt: UInt64, sha256: String)? {
        if case .stored(let path, let size, let resumedAt, let sha256) = self {
            (path, size, resumedAt, sha256)
        } else {
            nil
        }
    }
    var interruptedAt: UInt64? { if case .interrupted(_, _, let length, _) = self { length } else { nil } }
}

extension MSRPFrame {
    /// Start line and header fields as they came.
    var headLines: [String] {
        String(decoding: rawHead, as: UTF8.self).split(separator: "\r\n").map(String.init)
    }
}
