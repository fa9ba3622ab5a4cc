/// Reads and writes the DNS messages (RFC 1035 section 4) that looking for services takes.
package enum DNSMessage {
    /// Of any message over TCP; the length before it has 16 bits.
    static let longest = 65535
    /// More records than any honest service has.
    static let mostRecords = 256

    private static let serviceType: UInt16 = 33
    private static let internetClass: UInt16 = 1

    package enum Answer: Sendable, Equatable {
        case services([ServiceRecord])
        /// NXDOMAIN, or a name without such records.
        case absent
        /// The answer doesn't fit into a datagram: ask again over TCP.
        case truncated
        /// The server could not, or would not, say: its code.
        case failed(code: UInt8)
    }

    /// A question for SRV records, recursion desired; nil for what is no domain name.
    package static func query(id: UInt16, name: String) -> [UInt8]? {
        guard let question = encode(name: name) else { return nil }
        return bytes(id) + [0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0] + question + bytes(serviceType) + bytes(internetClass)
    }

    /// Reads the answer to `query(id:name:)`; nil when it is none: another id, another question, or malformed.
    package static func answer(_ message: some Collection<UInt8>, id: UInt16, name: String) -> Answer? {
        var reader = Reader(message: Array(message))
        guard let wanted = encode(name: name), reader.number() == id, let flags = reader.number(), flags & 0x8000 != 0,
            flags & 0x7800 == 0, let questions = reader.number(), let answers = reader.number(), questions == 1,
            reader.number() != nil, reader.number() != nil, let asked = reader.name(),
            let question = encode(name: asked), question.map(lower) == wanted.map(lower),
            reader.number() == serviceType, reader.number() == internetClass
        else { return nil }
        if flags & 0x0200 != 0 { return .truncated }
        let code = UInt8(flags & 0x000F)
        if code == 3 { return .absent }
        guard code == 0 else { return .failed(code: code) }
        var records: [ServiceRecord] = []
        for _ in 0..<min(Int(answers), mostRecords) {
            guard reader.name() != nil, let type = reader.number(), let kind = reader.number(), reader.skip(4),
                let length = reader.number()
            else { return nil }
            let end = reader.at + Int(length)
            // Aliases (CNAME) that lead to the records come along with them.
            if type == serviceType, kind == internetClass {
                guard let priority = reader.number(), let weight = reader.number(), let port = reader.number(),
                    let target = reader.name(), reader.at <= end
                else { return nil }
                records.append(ServiceRecord(priority: priority, weight: weight, port: port, target: target))
            }
            guard reader.move(to: end) else { return nil }
        }
        return records.isEmpty ? .absent : .services(records)
    }

    private static func bytes(_ value: UInt16) -> [UInt8] { [UInt8(value >> 8), UInt8(value & 0xFF)] }

    private static func lower(_ octet: UInt8) -> UInt8 { octet >= 0x41 && octet <= 0x5A ? octet | 0x20 : octet }

    private static func encode(name: String) -> [UInt8]? {
        var result: [UInt8] = []
        for label in name.split(separator: ".") {
            let octets = Array(label.utf8)
            guard octets.count <= 63 else { return nil }
            result.append(UInt8(octets.count))
            result += octets
        }
        return result.count <= 254 ? result + [0] : nil
    }

    private struct Reader {
        let message: [UInt8]
        var at = 0

        mutating func number() -> UInt16? {
            guard message.count - at >= 2 else { return nil }
            defer { at += 2 }
            return UInt16(message[at]) << 8 | UInt16(message[at + 1])
        }

        mutating func skip(_ count: Int) -> Bool { move(to: at + count) }

        mutating func move(to position: Int) -> Bool {
            guard position >= at, position <= message.count else { return false }
            at = position
            return true
        }

        /// A domain name, compressed or not (RFC 1035 section 4.1.4). Pointers lead backwards only, so it ends.
        mutating func name() -> String? {
            var labels: [String] = []
            var position = at
            var lowest = at
            var isFollowing = false
            var length = 0
            while true {
                guard position < message.count else { return nil }
                let size = Int(message[position])
                if size & 0xC0 == 0xC0 {
                    guard position + 1 < message.count else { return nil }
                    let target = (size & 0x3F) << 8 | Int(message[position + 1])
                    if !isFollowing { at = position + 2 }
                    isFollowing = true
                    guard target < lowest else { return nil }
                    lowest = target
                    position = target
                    continue
                }
                guard size <= 63, position + 1 + size <= message.count else { return nil }
                if size == 0 {
                    if !isFollowing { at = position + 1 }
                    return labels.joined(separator: ".")
                }
                length += size + 1
                guard length <= 254 else { return nil }
                labels.append(String(decoding: message[(position + 1)...(position + size)], as: UTF8.self))
                position += size + 1
            }
        }
    }
}
