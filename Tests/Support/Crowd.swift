import Foundation

/// What one member of a crowd says, in the order in which it says it.
package struct CrowdMessage: Sendable {
    package enum Form: Sendable, Equatable {
        /// One SEND.
        case whole
        /// SENDs of so many octets each.
        case chunks(of: Int)
        /// The same, given up with `#` after two of them.
        case abandoned(of: Int)
    }

    package var number: Int
    /// Octets of its content.
    package var size: Int
    package var form = Form.whole
    /// Nil: to the room.
    package var recipient: Int?

    package init(number: Int, size: Int, form: Form = .whole, recipient: Int? = nil) {
        self.number = number
        self.size = size
        self.form = form
        self.recipient = recipient
    }
}

/// A message that came in whole and undamaged.
package struct CrowdHeard: Hashable, Sendable {
    package let sender: Int
    package let number: Int

    package init(sender: Int, number: Int) {
        self.sender = sender
        self.number = number
    }
}

/// One member: its script, what it has heard, and its MSRP connection, which a `Crowd` serves.
///
/// Content is a line `sender number size` and then octets that both ends know, so that each message is checked as it
/// comes and none has to be kept.
package final class CrowdMember: @unchecked Sendable {
    // Unchecked: one thread of the crowd serves it.
    package enum Fate: Sendable, Equatable {
        case stays
        /// Reads nothing more after so many messages.
        case stalls(after: Int)
        /// Resets its connection after so many messages.
        case vanishes(after: Int)
    }

    package let index: Int
    package let participant: Participant
    package let fate: Fate
    package var script: [CrowdMessage]
    /// Messages that are whole.
    package private(set) var heardCount = 0
    /// In the order in which they began; some may have gone on for longer than others behind them.
    private var begun: [(message: CrowdHeard, isWhole: Bool)] = []
    /// What came whole, in the order in which it began.
    package var heard: [CrowdHeard] { begun.filter(\.isWhole).map(\.message) }
    /// What was not as it should be; empty: nothing.
    package private(set) var complaints: [String] = []
    package private(set) var statuses: [Int: Int] = [:]
    /// Messages of which some chunks have come, and then `#`.
    package private(set) var aborted = 0

    static let pattern = BodyPattern(seed: 7)
    static let window = 8

    fileprivate let stream: ByteStream
    private let remotePath: String
    private let localPath: String
    private var input: UnsafeMutableRawPointer
    private var capacity = 256 * 1024
    private var start = 0
    private var end = 0
    private var searched = 0
    private var output: [UInt8] = []
    private var written = 0
    private var nextMessage = 0
    private var nextChunk = 0
    private var outstanding = 0
    private var counter = 0
    private var partial: [String: (head: CrowdHead, offset: Int, place: Int)] = [:]
    fileprivate private(set) var isOver = false

    package init(_ participant: Participant, index: Int, fate: Fate = .stays, script: [CrowdMessage] = []) {
        self.participant = participant
        self.index = index
        self.fate = fate
        self.script = script
        stream = participant.msrp.stream
        remotePath = participant.msrp.remotePath
        localPath = participant.msrp.localPath
        input = .allocate(byteCount: capacity, alignment: 16)
    }

    deinit { input.deallocate() }

    /// Has said all and been answered.
    package var hasSpoken: Bool { nextMessage == script.count && outstanding == 0 && output.count == written }

    fileprivate var isStalled: Bool {
        if case .stalls(let count) = fate { return heardCount >= count }
        return false
    }

    // MARK: Turns

    /// Writes and reads what is possible now.
    fileprivate func turn(_ uri: (Int) -> String) {
        guard !isOver else { return }
        do {
            speak(uri)
            try flush()
            if !isStalled { try listen() }
            try flush()
        } catch {
            complain("\(error)")
            isOver = true
        }
    }

    fileprivate var wantsToWrite: Bool { written < output.count }

    private func flush() throws {
        while written < output.count {
            let count = try output.withUnsafeBytes {
                try stream.write(UnsafeRawBufferPointer(rebasing: $0[written...]))
            }
            guard let count else { return }
            written += count
        }
        output.removeAll(keepingCapacity: true)
        written = 0
    }

    private func complain(_ text: String) {
        if complaints.count < 5 { complaints.append("member \(index): \(text)") }
    }

    // MARK: Saying

    private func speak(_ uri: (Int) -> String) {
        while nextMessage < script.count, outstanding < Self.window, output.count - written < 512 * 1024 {
            let message = script[nextMessage]
            let head = content(of: message, uri)
            let total = head.count + message.size
            switch message.form {
            case .whole:
                send(message, head, from: 0, to: total, total, "$")
                nextMessage += 1
            case .chunks(let size), .abandoned(let size):
                let from = nextChunk * size
                let to = min(total, from + size)
                var flag: Character = to == total ? "$" : "+"
                if case .abandoned = message.form, nextChunk == 1 { flag = "#" }
                send(message, head, from: from, to: to, total, flag)
                nextChunk += 1
                if flag != "+" {
                    nextChunk = 0
                    nextMessage += 1
                }
            }
        }
    }

    /// The CPIM head and the line before the pattern.
    private func content(of message: CrowdMessage, _ uri: (Int) -> String) -> [UInt8] {
        let to = message.recipient.map(uri) ?? participant.room
        let type = message.size > 2048 ? "image/png" : "text/plain"
        return Array(
            ("From: <\(participant.sip.addressOfRecord)>\r\nTo: <\(to)>\r\nDateTime: 2026-11-21T00:18:48Z\r\n\r\n"
                + "Content-Type: \(type)\r\n\r\n\(index) \(message.number) \(message.size)\n").utf8)
    }

    private func send(
        _ message: CrowdMessage, _ head: [UInt8], from: Int, to: Int, _ total: Int, _ flag: Character
    ) {
        counter += 1
        outstanding += 1
        let id = "c\(index)x\(String(counter, radix: 16))yz"
        let range = to - from > 2048 ? "\(from + 1)-*/\(total)" : "\(from + 1)-\(to)/\(total)"
        output += Array(
            ("MSRP \(id) SEND\r\nTo-Path: \(remotePath)\r\nFrom-Path: \(localPath)\r\n"
                + "Message-ID: s\(index)n\(message.number)\r\nByte-Range: \(range)\r\n"
                + "Content-Type: message/cpim\r\n\r\n").utf8)
        if from < head.count { output += head[from..<min(to, head.count)] }
        let patternFrom = max(0, from - head.count)
        var offset = patternFrom
        while offset < to - head.count {
            let count = min(to - head.count - offset, BodyPattern.longestPiece)
            Self.pattern.with(offset: offset, count: count) { output.append(contentsOf: $0) }
            offset += count
        }
        output += Array("\r\n-------\(id)\(flag)\r\n".utf8)
    }

    // MARK: Hearing

    private func listen() throws {
        for _ in 0..<16 {
            if end == capacity { makeRoom() }
            guard let count = try stream.read(into: .init(start: input + end, count: capacity - end)) else { return }
            if count == 0 {
                isOver = true
                if fate == .stays { complain("the connection was closed after \(heardCount) messages") }
                return
            }
            end += count
            while !isOver, !isStalled, takeFrame() {}
            if isStalled { return }
            if case .vanishes(let after) = fate, heardCount >= after {
                stream.reset()
                isOver = true
                return
            }
        }
    }

    private func makeRoom() {
        if start > 0 {
            memmove(input, input + start, end - start)
            searched -= start
            end -= start
            start = 0
        }
        if end > capacity / 2 {
            let larger = UnsafeMutableRawPointer.allocate(byteCount: capacity * 2, alignment: 16)
            memcpy(larger, input, end)
            input.deallocate()
            input = larger
            capacity *= 2
        }
    }

    private func find(_ text: String, from: Int, to: Int) -> Int? {
        guard to > from else { return nil }
        return UnsafeRawBufferPointer(start: input, count: to).first(Array(text.utf8), from: from)
    }

    private func text(_ from: Int, _ to: Int) -> String {
        String(decoding: UnsafeRawBufferPointer(start: input + from, count: max(0, to - from)), as: UTF8.self)
    }

    /// The value of a header field within a head.
    private func field(_ name: String, _ to: Int) -> String? {
        guard let at = find("\r\n\(name): ", from: start, to: to) else { return nil }
        let from = at + name.utf8.count + 4
        return find("\r\n", from: from, to: to + 2).map { text(from, $0) }
    }

    /// - Returns: whether one was there.
    private func takeFrame() -> Bool {
        guard end - start > 8, let line = find("\r\n", from: start, to: min(end, start + 256)) else { return false }
        let words = text(start, line).split(separator: " ")
        guard words.count >= 3, words[0] == "MSRP" else {
            complain("no start line: \(text(start, min(line, start + 80)))")
            isOver = true
            return false
        }
        let mark = "-------\(words[1])"
        guard let close = find(mark, from: max(searched, line), to: end) else {
            searched = max(line, end - mark.utf8.count)
            return false
        }
        let flagAt = close + mark.utf8.count
        guard flagAt + 3 <= end else {
            searched = close
            return false
        }
        let flag = Character(UnicodeScalar(input.load(fromByteOffset: flagAt, as: UInt8.self)))
        if words[2] == "SEND" {
            take(id: String(words[1]), headEnd: find("\r\n\r\n", from: line, to: close), close, flag)
        } else if let status = Int(words[2]) {
            outstanding -= 1
            statuses[status, default: 0] += 1
        }
        start = flagAt + 3
        searched = start
        if start == end { (start, end, searched) = (0, 0, 0) }
        return true
    }

    private func take(id: String, headEnd: Int?, _ close: Int, _ flag: Character) {
        output += Array(
            "MSRP \(id) 200 OK\r\nTo-Path: \(remotePath)\r\nFrom-Path: \(localPath)\r\n-------\(id)$\r\n".utf8)
        guard let headEnd, headEnd < close else {
            // Without a body: it may still end or abort a message.
            if flag == "#", let message = field("Message-ID", close) {
                if partial.removeValue(forKey: message) != nil { aborted += 1 }
            }
            return
        }
        guard let message = field("Message-ID", headEnd) else { return complain("a SEND without Message-ID") }
        let first = field("Byte-Range", headEnd).flatMap { Int($0.prefix { $0 != "-" }) } ?? 1
        let body = UnsafeRawBufferPointer(start: input + headEnd + 4, count: close - 2 - headEnd - 4)
        var content = body
        var known = partial[message]
        if first == 1 {
            guard let head = CrowdHead(body) else {
                return complain("a message that nobody said: \(text(headEnd + 4, min(close, headEnd + 200)))")
            }
            if known != nil { complain("\(message) began twice") }
            known = (head, 0, begun.count)
            begun.append((CrowdHeard(sender: head.sender, number: head.number), false))
            content = UnsafeRawBufferPointer(rebasing: body[head.length...])
        }
        guard var known else {
            if flag == "#" { return }
            return complain("a chunk of \(message) without its beginning")
        }
        guard first == 1 || first == known.head.length + known.offset + 1 else {
            return complain("\(message) goes on at \(first) after \(known.head.length + known.offset)")
        }
        if !Self.pattern.matches(content, offset: known.offset) { complain("\(message) is damaged") }
        known.offset += content.count
        switch flag {
        case "+": partial[message] = known
        case "#":
            partial[message] = nil
            aborted += 1
        default:
            partial[message] = nil
            if known.offset != known.head.size {
                complain("\(message) has \(known.offset) of \(known.head.size) octets")
            }
            begun[known.place].isWhole = true
            heardCount += 1
        }
    }
}

/// What a body's beginning says of it.
struct CrowdHead {
    let sender: Int
    let number: Int
    let size: Int
    /// Octets before the pattern.
    let length: Int

    init?(_ body: UnsafeRawBufferPointer) {
        let blank: [UInt8] = [13, 10, 13, 10]
        let top = UnsafeRawBufferPointer(rebasing: body.prefix(1024))
        guard let cpim = top.first(blank, from: 0), let mime = top.first(blank, from: cpim + 4),
            let line = top.first([10], from: mime + 4)
        else { return nil }
        let words = String(decoding: top[(mime + 4)..<line], as: UTF8.self).split(separator: " ").map { Int($0) }
        guard words.count == 3, let sender = words[0], let number = words[1], let size = words[2] else { return nil }
        (self.sender, self.number, self.size, length) = (sender, number, size, line + 1)
    }
}

/// Members of a room that are served by a few threads until everybody has heard what it should.
package enum Crowd {
    /// - Parameter done: asked about once a turn, on the thread that serves these members.
    package static func run(
        _ members: [CrowdMember], threads: Int = 4, within seconds: Double,
        until isDone: @escaping @Sendable (CrowdMember) -> Bool
    ) throws {
        let addresses = members.map(\.participant.sip.addressOfRecord)
        let deadline = Deadline.after(seconds: seconds)
        let groups = (0..<threads).map { thread in members.filter { $0.index % threads == thread } }
        _ = try concurrently(
            groups.map { group in
                { @Sendable () throws -> Bool in
                    while true {
                        for member in group { member.turn { addresses[$0] } }
                        let waiting = group.filter { !$0.isOver && !$0.isStalled }
                        if waiting.allSatisfy({ $0.fate != .stays || ($0.hasSpoken && isDone($0)) }) { return true }
                        if deadline.passed {
                            let late = waiting.first { $0.fate == .stays && !($0.hasSpoken && isDone($0)) }
                            throw SupportError(
                                "member \(late?.index ?? -1) heard \(late?.heardCount ?? -1) in time, spoke: \(late?.hasSpoken ?? false), \(late?.complaints ?? [])"
                            )
                        }
                        waitForAny(waiting)
                    }
                }
            })
    }

    private static func waitForAny(_ members: [CrowdMember]) {
        var entries = members.map {
            pollfd(
                fd: $0.stream.descriptor, events: Int16($0.wantsToWrite ? POLLIN | POLLOUT : POLLIN), revents: 0)
        }
        _ = poll(&entries, nfds_t(entries.count), 20)
    }
}
