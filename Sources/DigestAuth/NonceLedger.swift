internal import CGnuTLS
import Glibc

/// Nonces of a server whose clients have no connection of their own: a challenge leaves nothing behind.
///
/// A nonce is the time it was made and a number, sealed with a key that only this value knows, so that no memory is
/// needed to know it again. Only counts of nonces that were used with the right password are remembered, in a bounded
/// table. Times are nanoseconds of any monotonic clock.
package struct NonceLedger: Sendable {
    /// The counts used of one nonce.
    private struct Use: Sendable {
        let issued: UInt64
        var highest: UInt32
        /// Bit n: `highest` - n was used. Requests overtake each other on the way, over UDP above all.
        var window: UInt64
    }

    /// How long a nonce may be used.
    package var lifetime: UInt64
    /// Nonces whose counts are remembered. Beyond it the older half is forgotten, and from then on unknown: what was
    /// used once is never good again, rather is something good taken for too old.
    package var limit: Int
    private let key: [UInt8]
    private var lastSerial: UInt64
    private var uses: [UInt64: Use] = [:]
    /// Nonces before this one are not known any more.
    private var oldest: UInt64 = 0

    /// - Parameter key: for tests; nil: a random one.
    package init(lifetime: UInt64, limit: Int, key: [UInt8]? = nil) {
        self.lifetime = lifetime
        self.limit = limit
        self.key = key ?? Self.randomKey()
        lastSerial = 0
    }

    /// Nonces whose counts are remembered just now.
    package var count: Int { uses.count }

    /// A new nonce: 64 hexadecimal digits.
    package mutating func issue(at now: UInt64) -> String {
        lastSerial &+= 1
        let text = Nonce(high: now, low: lastSerial).text
        return text + seal(text)
    }

    /// Whether a nonce may be used with this count.
    package func judge(_ nonce: String, count: UInt32, at now: UInt64) -> NonceState {
        guard let (issued, serial) = open(nonce), serial >= oldest else { return .unknown }
        guard issued <= now, now - issued < lifetime else { return .expired }
        guard let use = uses[serial] else { return .fresh }
        if count > use.highest { return .fresh }
        let age = use.highest - count
        return age < 64 && use.window & 1 << UInt64(age) == 0 ? .fresh : .replayed
    }

    /// The nonce was used with this count, which from now on may not be used again (RFC 7616 section 3.4, nc).
    package mutating func use(_ nonce: String, count: UInt32, at now: UInt64) {
        guard let (issued, serial) = open(nonce), serial >= oldest else { return }
        guard var use = uses[serial] else {
            makeRoom(at: now)
            if serial >= oldest { uses[serial] = Use(issued: issued, highest: count, window: 1) }
            return
        }
        if count > use.highest {
            let step = count - use.highest
            use.window = step < 64 ? use.window << UInt64(step) | 1 : 1
            use.highest = count
        } else if use.highest - count < 64 {
            use.window |= 1 << UInt64(use.highest - count)
        }
        uses[serial] = use
    }

    private mutating func makeRoom(at now: UInt64) {
        guard uses.count >= max(limit, 1) else { return }
        let lifetime = lifetime
        uses = uses.filter { $0.value.issued <= now && now - $0.value.issued < lifetime }
        guard uses.count >= max(limit, 1) else { return }
        let serials = uses.keys.sorted()
        // Half at a time, so that the sorting is paid for by as many requests.
        oldest = serials[serials.count / 2] &+ 1
        uses = uses.filter { $0.key >= oldest }
    }

    // MARK: Sealing

    private func open(_ nonce: String) -> (issued: UInt64, serial: UInt64)? {
        guard nonce.utf8.count == 64 else { return nil }
        let text = String(decoding: nonce.utf8.prefix(32), as: UTF8.self)
        let expected = Array(seal(text).utf8)
        guard expected.count == 32, let sealed = Nonce(text: text),
            ConstantTime.areEqual(expected, String(decoding: nonce.utf8.suffix(32), as: UTF8.self).utf8)
        else { return nil }
        return (sealed.high, sealed.low)
    }

    /// The first half of HMAC-SHA-256; empty where the host forbids it, and then no nonce is known again.
    private func seal(_ text: String) -> String {
        var code = [UInt8](repeating: 0, count: 32)
        let octets = Array(text.utf8)
        guard gnutls_hmac_fast(GNUTLS_MAC_SHA256, key, key.count, octets, octets.count, &code) == 0 else { return "" }
        let halves = code.prefix(16).reduce(into: (UInt64(0), UInt64(0))) { halves, octet in
            halves.0 = halves.0 << 8 | halves.1 >> 56
            halves.1 = halves.1 << 8 | UInt64(octet)
        }
        return Nonce(high: halves.0, low: halves.1).text
    }

    private static func randomKey() -> [UInt8] {
        var key = [UInt8](repeating: 0, count: 32)
        if key.withUnsafeMutableBytes({ getentropy($0.baseAddress, $0.count) }) != 0 {
            var generator = SystemRandomNumberGenerator()
            for index in key.indices { key[index] = .random(in: 0...255, using: &generator) }
        }
        return key
    }
}
