import NIOCore

/// A head while its lines come in. Every octet is looked at once, however the head is cut.
struct HeadBuilder: Sendable {
    /// What a line made of the head.
    enum Step {
        case more
        /// The blank line: a body follows.
        case blankLine
        case endLine(Continuation)
    }

    /// Octets in which no line end was found yet; where the search goes on.
    private(set) var scanned = 0
    private var lineStart = 0
    private var lines = 0
    private var kind: Head.Kind?
    private var transactionID: TransactionID?
    private var token = 0..<0
    private var fields: [Head.Field] = []
    private var defect: HeadDefect?

    /// Takes the lines that are complete in `bytes`, which start with the head's first octet.
    /// - Returns: nil when the head goes on beyond the bytes.
    mutating func scan(_ bytes: UnsafeRawBufferPointer, limits: WireLimits) throws(WireError) -> Step? {
        while let end = bytes.firstIndex(of: Octet.lineFeed, from: scanned) {
            if transactionID == nil, end > limits.startLineBytes + 1 { throw WireError(.startLineTooLong) }
            guard end < limits.headBytes else { throw WireError(.headTooLong) }
            scanned = end + 1
            // A bare LF is not a line's end; it stays in the line and is found there as a defect.
            guard end > lineStart, bytes[end - 1] == Octet.carriageReturn else { continue }
            let line = lineStart..<end - 1
            switch try take(line, of: bytes, limits: limits) {
            case .more: lineStart = scanned
            case let step: return step
            }
        }
        scanned = bytes.count
        // Judged as if the line's end came next, so that it does not matter where the bytes were cut.
        if transactionID == nil, scanned > limits.startLineBytes + 1 { throw WireError(.startLineTooLong) }
        guard scanned <= limits.headBytes else { throw WireError(.headTooLong) }
        return nil
    }

    /// The octets of blank line or end-line and all before them.
    var size: Int { scanned }

    func head(from bytes: UnsafeRawBufferPointer, hasBody: Bool) -> Head? {
        guard let kind, let transactionID else { return nil }
        return Head(
            kind: kind, transactionID: transactionID, bytes: ByteBuffer(bytes: bytes.sub(0..<lineStart)),
            fields: fields, hasBody: hasBody, defect: defect, token: token)
    }

    private mutating func take(
        _ line: Range<Int>, of bytes: UnsafeRawBufferPointer, limits: WireLimits
    ) throws(WireError) -> Step {
        guard let transactionID else {
            try takeStartLine(line, of: bytes)
            return .more
        }
        if line.isEmpty { return .blankLine }
        if bytes[line.lowerBound] == Octet.hyphen,
            case .match(let continuation, let size) = EndLineSearch.endLine(
                of: transactionID, in: bytes, at: line.lowerBound), line.lowerBound + size == line.upperBound + 2
        {
            return .endLine(continuation)
        }
        lines += 1
        guard lines <= limits.headers else { throw WireError(.tooManyHeaders) }
        takeHeader(line, of: bytes)
        return .more
    }

    private mutating func takeStartLine(_ line: Range<Int>, of bytes: UnsafeRawBufferPointer) throws(WireError) {
        let id = line.lowerBound + 5
        guard id < line.upperBound,
            let space = bytes.firstIndex(of: Octet.space, from: id), space < line.upperBound,
            let transactionID = TransactionID(bytes.sub(id..<space))
        else { throw WireError(.badTransactionID) }
        self.transactionID = transactionID
        let start = space + 1
        var end = bytes.firstIndex(of: Octet.space, from: start) ?? line.upperBound
        end = min(end, line.upperBound)
        token = start..<end
        let word = bytes.sub(token)
        if word.count == 3, let code = word.decimal {
            kind = .response(Status(Int(code)))
        } else {
            kind = .request(Self.method(word))
            if end < line.upperBound || !Self.isMethodName(word) { defect = .startLine }
        }
        if Self.hasControlCharacter(bytes.sub(line)) { defect = .controlCharacter }
    }

    private mutating func takeHeader(_ line: Range<Int>, of bytes: UnsafeRawBufferPointer) {
        let first = bytes[line.lowerBound]
        guard first != Octet.space, first != Octet.tab else {
            defect = defect ?? .foldedLine
            return
        }
        if Self.hasControlCharacter(bytes.sub(line)) { defect = defect ?? .controlCharacter }
        guard let colon = bytes.firstIndex(of: Octet.colon, from: line.lowerBound), colon < line.upperBound,
            colon > line.lowerBound, bytes.sub(line.lowerBound..<colon).allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else {
            defect = defect ?? .headerLine
            return
        }
        var start = colon + 1
        var end = line.upperBound
        while start < end, bytes[start] == Octet.space || bytes[start] == Octet.tab { start += 1 }
        while end > start, bytes[end - 1] == Octet.space || bytes[end - 1] == Octet.tab { end -= 1 }
        if fields.isEmpty { fields.reserveCapacity(8) }
        fields.append(Head.Field(name: line.lowerBound..<colon, value: start..<end))
    }

    private static func method(_ word: UnsafeRawBufferPointer) -> Method {
        if word.equals("SEND") { return .send }
        if word.equals("REPORT") { return .report }
        if word.equals("AUTH") { return .auth }
        if word.equals("NICKNAME") { return .nickname }
        if word.equals("FILE_OFFSET") { return .fileOffset }
        return .other
    }

    /// Upper-case letters by the grammar; digits and the underscore are seen in extensions.
    private static func isMethodName(_ word: UnsafeRawBufferPointer) -> Bool {
        word.first.map { $0 >= 0x41 && $0 <= 0x5A } == true
            && word.allSatisfy { ($0 >= 0x41 && $0 <= 0x5A) || Octet.isDigit($0) || $0 == UInt8(ascii: "_") }
    }

    private static func hasControlCharacter(_ line: UnsafeRawBufferPointer) -> Bool {
        line.contains { ($0 < 0x20 && $0 != Octet.tab) || $0 == 0x7F }
    }
}
