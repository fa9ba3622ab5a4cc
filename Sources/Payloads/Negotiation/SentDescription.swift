/// What was sent last in a dialog, and what is sent next.
struct SentDescription: Sendable {
    private let originID: UInt64
    private var version: UInt64 = 1
    /// The description sent last, octet for octet: whether the next differs decides about the o= line's version.
    private(set) var octets: [UInt8] = []

    /// - Parameter originID: the session id of our o= line, random; kept to 62 bits (RFC 3264 section 5).
    init(originID: UInt64) { self.originID = originID & (1 << 62 - 1) }

    /// The version goes up by one when the description differs from the one sent before, and only then
    /// (RFC 3264 section 8, RFC 4975 section 8.4).
    mutating func send(frame: LocalDescription.Frame, address: PathURI?, media: [MediaDescription]) -> [UInt8] {
        var next = compose(frame, address, media)
        if !octets.isEmpty, next != octets {
            version &+= 1
            next = compose(frame, address, media)
        }
        octets = next
        return next
    }

    private func compose(
        _ frame: LocalDescription.Frame, _ address: PathURI?, _ media: [MediaDescription]
    ) -> [UInt8] {
        LocalDescription.compose(originID: originID, version: version, frame: frame, address: address, media: media)
            .serialized()
    }
}
