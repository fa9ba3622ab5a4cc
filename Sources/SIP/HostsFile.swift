import Glibc

/// The names that this machine's hosts file knows, which Sofia's resolver does not read: above all `localhost`.
struct HostsFile: Sendable {
    /// A larger file is not read.
    static let largestFile = 1 << 20

    private var addresses: [String: [String]] = [:]

    init(text: String) {
        for line in text.split(whereSeparator: \.isNewline) {
            let fields = line.prefix { $0 != "#" }.split { $0 == " " || $0 == "\t" }
            guard let address = fields.first else { continue }
            for name in fields.dropFirst() { addresses[name.lowercased(), default: []].append(String(address)) }
        }
        // RFC 6761 section 6.3
        if addresses["localhost"] == nil { addresses["localhost"] = ["127.0.0.1", "::1"] }
    }

    static func read(_ path: String = "/etc/hosts") -> HostsFile {
        guard let stream = fopen(path, "r") else { return HostsFile(text: "") }
        defer { fclose(stream) }
        var octets = [UInt8](repeating: 0, count: largestFile + 1)
        let count = fread(&octets, 1, octets.count, stream)
        return HostsFile(text: count > largestFile ? "" : String(decoding: octets[..<count], as: UTF8.self))
    }

    /// An address of that name, of a family that one of the listeners has; nil when the file does not know it.
    func address(of name: String, reachableFrom listeners: [Endpoint]) -> String? {
        addresses[name.lowercased()]?.first { address in
            listeners.contains { $0.isIPv6 == address.contains(":") }
        }
    }
}
