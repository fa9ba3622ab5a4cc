package import NIOCore

/// An IPv4 or IPv6 address as octets; IPv6 forms that carry an IPv4 address (mapped, compatible) are that address.
package struct IPAddress: Hashable, Sendable {
    /// 4 or 16 octets.
    package let octets: [UInt8]

    package init?(_ address: SocketAddress) {
        switch address {
        case .v4(let v4):
            // sockaddr_in: family, port, then the address.
            self.init(octets: withUnsafeBytes(of: v4.address) { Array($0[4..<8]) })
        case .v6(let v6):
            // sockaddr_in6: family, port, flow, then the address.
            self.init(octets: withUnsafeBytes(of: v6.address) { Array($0[8..<24]) })
        case .unixDomainSocket:
            return nil
        }
    }

    /// From text, without DNS; a zone (`%eth0`) and brackets are not part of it.
    package init?(_ text: String) {
        guard let address = try? SocketAddress(ipAddress: text, port: 0) else { return nil }
        self.init(address)
    }

    private init(octets: [UInt8]) {
        let mapped: [UInt8] = [0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff]
        let nat64: [UInt8] = [0, 0x64, 0xff, 0x9b, 0, 0, 0, 0, 0, 0, 0, 0]
        if octets.count == 16, octets.starts(with: mapped) || octets.starts(with: nat64) {
            self.octets = Array(octets[12...])
        } else {
            self.octets = octets
        }
    }

    package var isUnspecified: Bool { octets.allSatisfy { $0 == 0 } }

    package var isLoopback: Bool {
        octets.count == 4 ? octets[0] == 127 : octets.dropLast().allSatisfy { $0 == 0 } && octets.last == 1
    }

    package var isMulticast: Bool {
        octets.count == 4 ? octets[0] >= 224 && octets[0] < 240 : octets[0] == 0xff
    }

    /// Reachable by anybody: none of the special-purpose blocks of RFC 6890.
    package var isPublic: Bool {
        if isUnspecified || isLoopback || isMulticast { return false }
        return octets.count == 4 ? isPublicV4 : isPublicV6
    }

    private var isPublicV4: Bool {
        switch (octets[0], octets[1], octets[2]) {
        case (0, _, _), (10, _, _), (127, _, _): false
        case (100, 64...127, _): false  // shared address space, RFC 6598
        case (169, 254, _): false  // link-local
        case (172, 16...31, _), (192, 168, _): false
        case (192, 0, 0), (192, 0, 2), (198, 51, 100), (203, 0, 113): false  // protocol assignments, documentation
        case (198, 18...19, _): false  // benchmarking
        case (240..., _, _): false  // reserved, broadcast
        default: true
        }
    }

    private var isPublicV6: Bool {
        if octets[0] & 0xfe == 0xfc { return false }  // unique local
        if octets[0] == 0xfe { return false }  // link-local, site-local
        if octets.starts(with: [0x20, 0x01, 0x0d, 0xb8]) { return false }  // documentation
        if octets.starts(with: [0x20, 0x02]) {  // 6to4 carries an IPv4 address
            return IPAddress(octets: Array(octets[2..<6])).isPublic
        }
        if octets.starts(with: [0x20, 0x01, 0, 0]) { return false }  // Teredo
        return !octets.dropLast(4).allSatisfy { $0 == 0 }  // v4-compatible
    }
}
