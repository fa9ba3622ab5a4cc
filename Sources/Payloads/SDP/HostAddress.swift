/// A host as an address or a name, so that two spellings of one address compare equal (RFC 6714 section 4.4 through
/// RFC 5952: the text form of an IPv6 address is not unique).
enum HostAddress: Hashable {
    case ipv4(UInt32)
    case ipv6([UInt16])
    /// Lower-cased, without the final dot.
    case name(String)

    /// - Parameter host: IPv6 with or without brackets.
    init(_ host: some StringProtocol) {
        var octets = Array(host.utf8)[...]
        if octets.first == UInt8(ascii: "["), octets.last == UInt8(ascii: "]"), octets.count >= 2 {
            octets = octets.dropFirst().dropLast()
        }
        if let address = HostAddress.ipv4(octets) {
            self = .ipv4(address)
        } else if let groups = HostAddress.ipv6(octets) {
            self = .ipv6(groups)
        } else {
            if octets.last == UInt8(ascii: ".") { octets.removeLast() }
            self = .name(String(decoding: octets.map { ASCII.lowercased($0) }, as: UTF8.self))
        }
    }

    /// 0.0.0.0 and ::, which say nothing of where anybody is.
    var isUnspecified: Bool {
        switch self {
        case .ipv4(let address): address == 0
        case .ipv6(let groups): groups.allSatisfy { $0 == 0 }
        case .name: false
        }
    }

    /// False only when two address literals differ. A name would need DNS, which a pure machine does not ask: it gets
    /// the benefit of the doubt.
    func mayEqual(_ other: HostAddress) -> Bool {
        switch (self, other) {
        case (.name, _), (_, .name): true
        default: self == other
        }
    }

    private static func ipv4(_ octets: ArraySlice<UInt8>) -> UInt32? {
        let fields = octets.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard fields.count == 4 else { return nil }
        var address: UInt32 = 0
        for field in fields {
            guard field.count <= 3, let value = ASCII.decimal(field), value <= 255 else { return nil }
            address = address << 8 | UInt32(value)
        }
        return address
    }

    private static func ipv6(_ octets: ArraySlice<UInt8>) -> [UInt16]? {
        guard octets.count >= 2, octets.count <= 45 else { return nil }
        var fields = octets.split(separator: UInt8(ascii: ":"), omittingEmptySubsequences: false)
        guard fields.count >= 3 else { return nil }
        // "::" at an end gives two empty fields there; one of them is no group.
        if fields[0].isEmpty {
            guard fields[1].isEmpty else { return nil }
            fields.removeFirst()
        }
        if fields[fields.count - 1].isEmpty {
            guard fields[fields.count - 2].isEmpty else { return nil }
            fields.removeLast()
        }
        var groups: [UInt16] = []
        var gap: Int?
        for (index, field) in fields.enumerated() {
            if field.isEmpty {
                guard gap == nil else { return nil }
                gap = groups.count
            } else if index == fields.count - 1, let tail = ipv4(field) {
                groups.append(UInt16(truncatingIfNeeded: tail >> 16))
                groups.append(UInt16(truncatingIfNeeded: tail))
            } else {
                guard field.count <= 4 else { return nil }
                var group: UInt16 = 0
                for octet in field {
                    guard let digit = ASCII.hexValue(octet) else { return nil }
                    group = group << 4 | UInt16(digit)
                }
                groups.append(group)
            }
        }
        if let gap {
            guard groups.count < 8 else { return nil }
            groups.insert(contentsOf: Array(repeating: 0, count: 8 - groups.count), at: gap)
        }
        return groups.count == 8 ? groups : nil
    }
}
