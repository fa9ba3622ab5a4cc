import Payloads

/// A conference information document (RFC 4575) that many subscribers get: rendered once, with each subscription's own
/// version number put in (section 5.2: versions count within a subscription).
///
/// Belongs to the focus's isolation.
final class RosterDocument {
    static let contentType = ConferenceInfo.contentType

    private let head: ArraySlice<UInt8>
    private let tail: ArraySlice<UInt8>
    /// Most subscribers of a change are at the same number, so that one is kept.
    private var last: (version: UInt32, octets: [UInt8])

    /// - Parameter rendered: the document with the version number 0.
    init(rendered: [UInt8]) {
        // The root's start tag is the first place behind the XML declaration that says `version`, for no attribute
        // value holds a quotation mark.
        let root = Self.find(Array("<conference-info".utf8), in: rendered, from: 0) ?? 0
        if let digit = Self.find(Array(" version=\"0\"".utf8), in: rendered, from: root).map({ $0 + 10 }) {
            head = rendered[..<digit]
            tail = rendered[(digit + 1)...]
        } else {
            assertionFailure("a document without version")
            head = rendered[...]
            tail = []
        }
        last = (0, rendered)
    }

    func octets(version: UInt32) -> [UInt8] {
        if last.version == version { return last.octets }
        var octets: [UInt8] = []
        octets.reserveCapacity(head.count + tail.count + 10)
        octets += head
        octets += String(version).utf8
        octets += tail
        last = (version, octets)
        return octets
    }

    private static func find(_ pattern: [UInt8], in octets: [UInt8], from start: Int) -> Int? {
        guard let first = pattern.first else { return nil }
        var index = start
        while index + pattern.count <= octets.count {
            guard let candidate = octets[index...].firstIndex(of: first), candidate + pattern.count <= octets.count
            else { return nil }
            if octets[candidate..<(candidate + pattern.count)].elementsEqual(pattern) { return candidate }
            index = candidate + 1
        }
        return nil
    }
}
