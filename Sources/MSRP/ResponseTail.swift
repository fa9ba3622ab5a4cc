import Glibc
import NIOCore

/// What a peer's plain 200s look like behind the transaction identifier, learnt from one that was parsed in
/// full. The next ones are recognised by comparing octets, without making a `Head`.
package struct ResponseTail: Sendable {
    /// The longest tail worth keeping.
    private static let longest = 2048
    /// A peer whose 200s differ each time is not learnt from for ever.
    private static let mostLessons = 16

    /// From the blank after the identifier in the start line to the hyphens of the end-line.
    private var octets: [UInt8] = []
    private var lessons = 0

    package init() {}

    package mutating func learn(from head: Head) {
        guard head.status == .ok, head.defect == nil, !head.hasBody, lessons < Self.mostLessons else { return }
        let start = 5 + head.transactionID.count
        let tail = head.withUnsafeBytes { Array($0[start...]) } + [UInt8](repeating: Octet.hyphen, count: 7)
        guard tail.count <= Self.longest, tail != octets else { return }
        lessons += 1
        octets = tail
    }

    /// The size of the 200 to the request with id `id` at the start of `bytes`; nil when anything else is there.
    package func match(_ id: UInt64, in bytes: UnsafeRawBufferPointer, at start: Int) -> Int? {
        let tail = octets.count
        // "MSRP ", the identifier, the tail, the identifier, "$", CRLF
        let size = 5 + 16 + tail + 16 + 3
        guard tail > 0, bytes.count &- start >= size, let base = bytes.baseAddress?.advanced(by: start) else {
            return nil
        }
        let (high, low) = Hexadecimal.digits(of: id)
        let end = base + 21 + tail
        guard base.loadUnaligned(as: UInt32.self) == UInt32(bigEndian: 0x4D53_5250),
            base.load(fromByteOffset: 4, as: UInt8.self) == Octet.space,
            base.loadUnaligned(fromByteOffset: 5, as: UInt64.self) == high,
            base.loadUnaligned(fromByteOffset: 13, as: UInt64.self) == low,
            end.loadUnaligned(as: UInt64.self) == high,
            end.loadUnaligned(fromByteOffset: 8, as: UInt64.self) == low,
            end.load(fromByteOffset: 16, as: UInt8.self) == Continuation.complete.rawValue,
            end.loadUnaligned(fromByteOffset: 17, as: UInt16.self) == UInt16(bigEndian: 0x0D0A),
            octets.withUnsafeBytes({ tailOctets in
                tailOctets.baseAddress.map { memcmp($0, base + 21, tail) == 0 } == true
            })
        else { return nil }
        return size
    }
}
