/// Composes our session descriptions. What it takes over from a peer is bounded, because the last one is kept for as
/// long as the dialog lives.
enum LocalDescription {
    /// Octets of an offered session name that are repeated; a longer one is answered with `-`.
    static let nameOctets = 256
    /// t=, r= and z= lines of an offer that are repeated.
    static let timeLines = 16
    /// Octets of one such line.
    static let timeOctets = 128
    /// Octets of the formats repeated in a refused m= line.
    static let formatOctets = 256

    /// The lines between o= and c= and those after c= that an answer takes from its offer: s= (`-` for none) and t=
    /// (RFC 3264 section 6: equal to the offer's).
    struct Frame {
        var name: SDPLine
        var times: [SDPLine]

        init(name: String) {
            self.name = SDPLine("s", name)
            times = [SDPLine("t", "0 0")]
        }

        init(answering offer: SessionDescription) throws(Refusal) {
            let offered = offer.lines.first { $0.is("s") }
            let usable = offered.map { !$0.octets.isEmpty && $0.octets.count <= nameOctets } ?? false
            name = usable ? offered ?? SDPLine("s", "-") : SDPLine("s", "-")
            times = offer.lines.filter { $0.is("t") || $0.is("r") || $0.is("z") }
            guard times.count <= timeLines, times.allSatisfy({ $0.octets.count <= timeOctets }) else {
                throw .tooManyTimes
            }
            if !times.contains(where: { $0.is("t") }) { times = [SDPLine("t", "0 0")] }
        }
    }

    /// - Parameter address: the URI of our path that the c= line names.
    static func compose(
        originID: UInt64, version: UInt64, frame: Frame, address: PathURI?, media: [MediaDescription]
    ) -> SessionDescription {
        let connection = ConnectionAddress(host: address?.host ?? "0.0.0.0")
        let origin = Origin(
            username: "-", sessionID: "\(originID)", version: "\(version)", networkType: connection.networkType,
            addressType: connection.addressType, address: connection.address)
        let lines =
            [SDPLine("v", "0"), SDPLine("o", origin.value), frame.name, SDPLine("c", connection.value)] + frame.times
        return SessionDescription(lines: lines, media: media)
    }

    /// The URI of our path that c= and m= repeat: our own, or under CEMA the relay the peer has to reach (RFC 4975
    /// section 8.1, RFC 6714 section 4.2, 3).
    static func connectionURI(of path: String, cema: Bool) -> PathURI? {
        let words = ASCII.words(path.utf8)
        return (cema ? words.first : words.last).flatMap(PathURI.init(parsing:))
    }

    /// A line that refuses an offered one, or keeps the place of one refused before: port 0, transport and formats as
    /// they were (RFC 3264 section 6); which file it was stays as well (RFC 5547 section 8.3).
    static func refused(_ offered: MediaDescription) -> MediaDescription {
        var formats: [String] = []
        var octets = 0
        for format in offered.formats {
            octets += format.utf8.count + 1
            guard octets <= formatOctets else { break }
            formats.append(format)
        }
        return MediaDescription(
            medium: offered.medium, port: 0, transport: offered.transport, formats: formats.isEmpty ? ["*"] : formats,
            lines: offered.isFileTransfer ? FileDescription.refused(offered) : [])
    }

    struct MessageLine {
        var transport: String
        var path: String
        var address: PathURI?
        var acceptTypes: [String]
        var wrapsTypes: Bool
        var setup: Setup
        var hasCEMA: Bool
        var isTLS: Bool
        var hasChatroom: Bool
        var direction: Direction
        /// Nil: a chat.
        var file: FileDescription?
    }

    /// Our m=message line (RFC 4975 section 8). sendrecv is not written, being what no attribute means.
    static func message(_ line: MessageLine, local: LocalMedia) -> MediaDescription {
        var lines: [SDPLine] = [.attribute("accept-types", line.acceptTypes.joined(separator: " "))]
        if line.wrapsTypes, !local.acceptWrappedTypes.isEmpty {
            lines.append(.attribute("accept-wrapped-types", local.acceptWrappedTypes.joined(separator: " ")))
        }
        if let maxSize = local.maxSize { lines.append(.attribute("max-size", "\(maxSize)")) }
        lines.append(.attribute("path", line.path))
        lines.append(.attribute("setup", line.setup.rawValue))
        if line.hasCEMA { lines.append(.attribute("msrp-cema")) }
        if line.hasChatroom, let chatroom = local.chatroom { lines.append(chatroom.line) }
        if line.isTLS { lines += local.fingerprints.map { .attribute("fingerprint", $0.value) } }
        if line.direction != .sendrecv { lines.append(.attribute(line.direction.rawValue)) }
        lines += line.file?.lines ?? []
        return MediaDescription(
            medium: "message", port: line.address?.port ?? 9, transport: line.transport, formats: ["*"], lines: lines)
    }
}
