/// The URIs of a To-Path or From-Path, the first hop first (RFC 4975 sections 7.1 and 9). Never empty.
package struct Path: Sendable, Hashable, CustomStringConvertible {
    /// The most hops taken from a peer.
    package static let mostHops = 16

    package let uris: [URI]

    package init(_ uri: URI) { uris = [uri] }

    /// Nil when there is no URI or there are more than `mostHops`.
    package init?(_ uris: [URI]) {
        guard !uris.isEmpty, uris.count <= Self.mostHops else { return nil }
        self.uris = uris
    }

    /// URIs separated by blanks; nil when one of them is malformed.
    package init?(_ octets: UnsafeRawBufferPointer) {
        var uris: [URI] = []
        for part in octets.split(whereSeparator: { $0 == Octet.space || $0 == Octet.tab }) {
            guard uris.count < Self.mostHops, let uri = URI(UnsafeRawBufferPointer(rebasing: part)) else { return nil }
            uris.append(uri)
        }
        self.init(uris)
    }

    package init?(_ string: String) {
        var string = string
        guard let path = string.withUTF8({ Path(UnsafeRawBufferPointer($0)) }) else { return nil }
        self = path
    }

    /// The hop a request goes to next.
    package var first: URI { uris[0] }
    /// The end of the path.
    package var last: URI { uris[uris.count - 1] }

    package var description: String { uris.map(\.description).joined(separator: " ") }
}
