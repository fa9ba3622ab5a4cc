import FileSpool
import Payloads

extension SystemLine {
    /// A file that can be pulled from the room: in words for people, and in `confd.File` for clients.
    init(announcing file: SpooledFile) {
        let size = FileSize.text(file.size)
        let sender = file.senderName ?? file.sender
        self.init(
            event: .file, text: "\(sender) shared \(file.name) (\(size)\(file.type.map { ", \($0)" } ?? ""))",
            headers: [(name: "confd.File", value: Self.value(file))])
    }

    /// The name is a quoted string with the escapes of CPIM (RFC 3862 section 2.3.1).
    private static func value(_ file: SpooledFile) -> String {
        var fields = ["name=\"\(CPIMEscape.escaped(file.name, quoted: true))\""]
        if let type = file.type { fields.append("type=\(type)") }
        fields.append("size=\(file.size)")
        fields.append("sha-1=\(hexadecimal(file.sha1))")
        fields.append("sha-256=\(hexadecimal(file.sha256))")
        fields.append("sender=\(CPIMAddress(uri: file.sender).value)")
        return fields.joined(separator: "; ")
    }

    /// As RFC 5547 section 6 writes hashes.
    private static func hexadecimal(_ digest: [UInt8]) -> String {
        digest.map { ($0 < 16 ? "0" : "") + String($0, radix: 16, uppercase: true) }.joined(separator: ":")
    }
}

/// A number of octets as people read it.
enum FileSize {
    private static let units = ["kB", "MB", "GB", "TB", "PB"]

    /// Decimal units with one digit behind the point, below 1000 octets as they are: `870 bytes`, `12.3 kB`.
    static func text(_ size: Int) -> String {
        guard size >= 1000 else { return size == 1 ? "1 byte" : "\(size) bytes" }
        var tenths = (size / 100) + (size % 100 >= 50 ? 1 : 0)
        var unit = 0
        while tenths >= 10_000, unit < units.count - 1 {
            tenths = tenths / 1000 + (tenths % 1000 >= 500 ? 1 : 0)
            unit += 1
        }
        return "\(tenths / 10).\(tenths % 10) \(units[unit])"
    }
}
