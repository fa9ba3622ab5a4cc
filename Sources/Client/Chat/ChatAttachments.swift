/// What came as messages and is no text, kept for a while so that the user can save it.
package struct ChatAttachments: Sendable {
    package struct Item: Equatable, Sendable {
        package var number: Int
        /// Such as `image/png`.
        package var type: String
        package var content: [UInt8]

        /// `image-3.png`.
        package var name: String {
            let kind = type.prefix { $0 != "/" }
            return FileName.sanitised("\(kind)-\(number).\(MediaTypes.suffix(of: type))")
        }
    }

    /// Those kept, and their octets in all; the oldest are forgotten first.
    static let maximum = 50
    static let maximumOctets = 64 << 20

    private var items: [Item] = []
    private var octets = 0
    private var last = 0

    package init() {}

    /// Nil for one that is not there, or no longer.
    package subscript(number: Int) -> Item? { items.first { $0.number == number } }

    /// - Returns: the number to save it by; nil when it is too large to be kept.
    package mutating func add(type: String, content: [UInt8]) -> Int? {
        guard content.count <= Self.maximumOctets else { return nil }
        last += 1
        items.append(Item(number: last, type: type, content: content))
        octets += content.count
        while items.count > Self.maximum || octets > Self.maximumOctets {
            octets -= items.removeFirst().content.count
        }
        return last
    }
}

/// Media types by the names of files, and the other way round: the usual ones.
package enum MediaTypes {
    private static let table: [(suffix: String, type: String)] = [
        ("png", "image/png"), ("jpg", "image/jpeg"), ("jpeg", "image/jpeg"), ("gif", "image/gif"),
        ("webp", "image/webp"), ("svg", "image/svg+xml"), ("bmp", "image/bmp"), ("tiff", "image/tiff"),
        ("tif", "image/tiff"), ("heic", "image/heic"), ("avif", "image/avif"), ("txt", "text/plain"),
        ("log", "text/plain"), ("md", "text/markdown"), ("html", "text/html"), ("htm", "text/html"),
        ("csv", "text/csv"), ("pdf", "application/pdf"), ("zip", "application/zip"), ("gz", "application/gzip"),
        ("tar", "application/x-tar"), ("xz", "application/x-xz"), ("json", "application/json"),
        ("xml", "application/xml"), ("odt", "application/vnd.oasis.opendocument.text"),
        ("ods", "application/vnd.oasis.opendocument.spreadsheet"),
        ("docx", "application/vnd.openxmlformats-officedocument.wordprocessingml.document"),
        ("xlsx", "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"),
        ("mp3", "audio/mpeg"), ("ogg", "audio/ogg"), ("wav", "audio/wav"), ("flac", "audio/flac"),
        ("mp4", "video/mp4"), ("webm", "video/webm"), ("mkv", "video/x-matroska"),
    ]
    static let unknown = "application/octet-stream"

    package static func type(ofFile name: String) -> String {
        let suffix = name.split(separator: ".").last.map { $0.lowercased() } ?? ""
        guard name.contains(".") else { return unknown }
        return table.first { $0.suffix == suffix }?.type ?? unknown
    }

    static func suffix(of type: String) -> String { table.first { $0.type == type }?.suffix ?? "bin" }
}
