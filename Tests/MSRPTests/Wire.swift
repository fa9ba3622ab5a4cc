import Foundation
import MSRP
import NIOCore
import Testing

/// What the tests write on the wire and how they read it back.
enum Wire {
    static let corpus = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appending(path: "Corpus/msrp-rfc")

    static func file(_ name: String) throws -> [UInt8] {
        Array(try Data(contentsOf: corpus.appending(path: name + ".msrp")))
    }

    static func allFiles() throws -> [[UInt8]] {
        try FileManager.default.contentsOfDirectory(at: corpus, includingPropertiesForKeys: nil)
            .filter { $0.pathExtension == "msrp" }
            .sorted { $0.path < $1.path }
            .map { Array(try Data(contentsOf: $0)) }
    }

    /// The parts of some bytes that arrive in pieces, with neighbouring body slices joined.
    static func parts(
        _ pieces: [[UInt8]], outgoing: TransactionID? = nil, limits: WireLimits = WireLimits()
    ) throws(WireError) -> [Part] {
        var parser = PartParser(limits: limits)
        parser.outgoingID = outgoing
        var buffer = ByteBuffer()
        var parts: [Part] = []
        for piece in pieces {
            buffer.writeBytes(piece)
            while let part = try parser.next(&buffer) {
                if case .body(var bytes) = part, case .body(let before)? = parts.last {
                    var joined = before
                    joined.writeBuffer(&bytes)
                    parts[parts.count - 1] = .body(joined)
                } else {
                    parts.append(part)
                }
            }
            buffer.discardReadBytes()
        }
        return parts
    }

    static func parts(_ text: String) throws(WireError) -> [Part] {
        try parts([Array(text.utf8)])
    }

    static func head(_ text: String) throws -> Head {
        guard case .head(let head)? = try parts(text).first else { throw Missing() }
        return head
    }

    /// The bytes cut at one place, for every place.
    static func cuts(_ bytes: [UInt8]) -> [[[UInt8]]] {
        (0...bytes.count).map { [Array(bytes[..<$0]), Array(bytes[$0...])] }
    }

    struct Missing: Error {}
}

extension Part {
    var bodyText: String? {
        if case .body(let bytes) = self { String(buffer: bytes) } else { nil }
    }
}

extension String {
    /// Lines as a peer sends them: LF in the literal is CRLF on the wire.
    var crlf: String { replacing("\n", with: "\r\n") }
}
