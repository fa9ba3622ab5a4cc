#if canImport(Glibc)
    import Glibc
#endif

/// Peers that are believed what they say about others: by address, or by the name in the certificate they present on
/// a `tls-trusted` listener.
package struct TrustedPeers: Sendable, Equatable {
    package var prefixes: [AddressPrefix] = []
    /// DNS names and SIP domains, in lower case.
    package var names: Set<String> = []

    package init() {}

    /// - Parameter entries: `192.0.2.0/24`, `2001:db8::/32`, `192.0.2.1`, or a certificate's name.
    package init(_ entries: [String]) throws(AddressPrefix.Defect) {
        for entry in entries {
            if entry.contains("/") || entry.contains(":") || entry.utf8.allSatisfy({ $0 == 0x2E || $0 < 0x3A }) {
                prefixes.append(try AddressPrefix(entry))
            } else {
                names.insert(entry.lowercased())
            }
        }
    }

    package var isEmpty: Bool { prefixes.isEmpty && names.isEmpty }

    func contains(address: String) -> Bool {
        guard !prefixes.isEmpty, let address = Address(address) else { return false }
        return contains(address)
    }

    func contains(_ address: Address) -> Bool { prefixes.contains { $0.contains(address) } }

    /// - Parameter presented: the names of a verified certificate.
    func contains(names presented: [String]) -> Bool {
        !names.isEmpty && presented.contains { names.contains($0.lowercased()) }
    }
}

/// A range of addresses: `192.0.2.0/24`.
package struct AddressPrefix: Sendable, Hashable, CustomStringConvertible {
    let address: Address
    let length: Int

    /// Not a range of addresses; the text that was given.
    package struct Defect: Error, Equatable, CustomStringConvertible {
        package let text: String
        package var description: String { "'\(text)' is no address or range such as 192.0.2.0/24 or 2001:db8::/32" }
    }

    /// - Throws: for anything but an address with or without a length; bits beyond the length are ignored.
    package init(_ text: String) throws(Defect) {
        let parts = text.split(separator: "/", maxSplits: 1, omittingEmptySubsequences: false)
        guard let first = parts.first, let address = Address(String(first)) else { throw Defect(text: text) }
        var length = address.octets.count * 8
        if parts.count > 1 {
            guard (1...3).contains(parts[1].utf8.count), parts[1].utf8.allSatisfy({ 0x30 <= $0 && $0 <= 0x39 }),
                let number = Int(parts[1]), number <= length
            else { throw Defect(text: text) }
            length = number
        }
        self.address = address.prefix(length)
        self.length = length
    }

    func contains(_ other: Address) -> Bool {
        other.octets.count == address.octets.count && other.prefix(length) == address
    }

    package var description: String { "\(address)/\(length)" }
}

/// An IP address: 4 or 16 octets. IPv4 addresses in IPv6 clothes (::ffff:192.0.2.1) are taken for what they are.
struct Address: Sendable, Hashable, CustomStringConvertible {
    let octets: [UInt8]

    init(octets: [UInt8]) { self.octets = octets }

    /// Nil for what is no literal address. A zone (`fe80::1%eth0`) doesn't count.
    init?(_ text: String) {
        var text = Substring(text)
        if text.hasPrefix("["), text.hasSuffix("]") { text = text.dropFirst().dropLast() }
        if let zone = text.firstIndex(of: "%") { text = text[..<zone] }
        var four = in_addr()
        if inet_pton(AF_INET, String(text), &four) == 1 {
            octets = withUnsafeBytes(of: &four) { Array($0) }
            return
        }
        var six = in6_addr()
        guard inet_pton(AF_INET6, String(text), &six) == 1 else { return nil }
        let all = withUnsafeBytes(of: &six) { Array($0) }
        let isMapped = all[..<10].allSatisfy { $0 == 0 } && all[10] == 0xFF && all[11] == 0xFF
        octets = isMapped ? Array(all[12...]) : all
    }

    var isLoopback: Bool {
        octets.count == 4 ? octets[0] == 127 : octets.dropLast().allSatisfy { $0 == 0 } && octets.last == 1
    }

    /// The first `length` bits, the rest zero.
    func prefix(_ length: Int) -> Address {
        var octets = octets
        for index in octets.indices {
            let kept = min(max(length - index * 8, 0), 8)
            octets[index] &= kept == 0 ? 0 : UInt8.max << UInt8(8 - kept)
        }
        return Address(octets: octets)
    }

    var description: String {
        var buffer = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let family = octets.count == 4 ? AF_INET : AF_INET6
        let made = octets.withUnsafeBytes {
            inet_ntop(family, $0.baseAddress, &buffer, socklen_t(INET6_ADDRSTRLEN))
        }
        return made == nil
            ? "" : String(decoding: buffer.prefix { $0 != 0 }.map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
