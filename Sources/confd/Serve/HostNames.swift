internal import MSRPTransport
internal import NIOCore

#if canImport(Glibc)
    internal import Glibc
#endif

/// The names and addresses by which this host may be called.
enum HostNames {
    /// The host's name and its full name, `localhost`, and the address of every interface, loopback included; in lower
    /// case, IPv6 without brackets and zone. What a caller is most likely to use comes first.
    static func all() -> [String] {
        var names: [String] = []
        if let name = hostName() {
            if let full = canonicalName(of: name), full.contains(".") { names.append(full) }
            names.append(name)
        }
        names.append("localhost")
        names += addresses()
        var seen: Set<String> = []
        return names.map { $0.lowercased() }.filter { seen.insert($0).inserted }
    }

    /// Those of the interfaces; link-local IPv6 addresses are left out, for they mean nothing without their zone.
    private static func addresses() -> [String] {
        let devices = (try? System.enumerateDevices()) ?? []
        return devices.compactMap { $0.address?.ipAddress }.filter { !$0.hasPrefix("fe80") && !$0.contains("%") }
    }

    /// No interface has a public address: whoever is reached from here without a router is on a private network, or this
    /// host.
    static var arePrivate: Bool {
        ((try? System.enumerateDevices()) ?? []).compactMap { $0.address.flatMap { IPAddress($0) } }
            .allSatisfy { !$0.isPublic }
    }

    private static func hostName() -> String? {
        var buffer = [CChar](repeating: 0, count: 256)
        guard gethostname(&buffer, buffer.count - 1) == 0 else { return nil }
        let name = String(decoding: buffer.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        return name.isEmpty ? nil : name
    }

    private static func canonicalName(of name: String) -> String? {
        var hints = addrinfo()
        hints.ai_flags = AI_CANONNAME
        hints.ai_socktype = Int32(SOCK_STREAM.rawValue)
        var found: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(name, nil, &hints, &found) == 0, let first = found else { return nil }
        defer { freeaddrinfo(found) }
        return first.pointee.ai_canonname.map { String(cString: $0) }
    }
}
