/// What an MSRP session is for; one that is offered for a file is no chat (RFC 5547 section 8.7).
enum MediaPurpose {
    case chat
    case file
}

/// What one m= line of the peer says, offer or answer, before the two ends agree on who connects.
struct MediaTerms {
    /// Octets of a=path that are kept and sent back in every To-Path.
    static let pathOctets = 2_048
    /// URIs in a path: relays of both ends and the end itself.
    static let pathURIs = 16
    /// Octets of the accepted types that are kept for a session; entries beyond are taken as not accepted.
    static let typeOctets = 1_024
    /// a=fingerprint lines that are kept for a session.
    static let fingerprints = 8

    var path: String
    var uris: [PathURI]
    var isTLS: Bool
    var format: ChosenMedia.Format
    var wrappedTypes: MediaTypeList
    var maxSize: UInt64?
    var chatroom: ChatroomCapabilities?
    var fingerprints: [Fingerprint]
    /// From our point of view.
    var direction: Direction
    var setup: Setup?
    var hasCEMA: Bool
    /// The c= address when it names a place.
    var connection: ConnectionAddress?
    var port: UInt16

    var first: PathURI { uris[0] }

    /// Whether the peer is behind a relay (RFC 6714 section 4.3, 1).
    var usesRelay: Bool { uris.count > 1 }

    /// Whether the c= and m= lines agree with the path (RFC 6714 section 4.4); a description without a c= address
    /// does not contradict it.
    var connectionMatchesPath: Bool {
        guard let connection else { return true }
        return uris.contains { $0.matches(connection, port: port) }
    }

    /// - Throws: why the line cannot carry our session (488).
    init(
        _ description: SessionDescription, _ medium: MediaDescription, local: LocalMedia, purpose: MediaPurpose = .chat
    ) throws(Refusal) {
        guard medium.isMSRP else { throw .noMSRP }
        guard medium.port != 0 else { throw .disabled }
        isTLS = medium.isTLS
        guard isTLS ? local.allowsTLS : local.allowsTCP else { throw .transport(isTLS: isTLS) }
        guard purpose == .file || !medium.isFileTransfer else { throw .fileTransfer }
        (path, uris) = try MediaTerms.path(of: medium)
        switch purpose {
        case .chat: (format, wrappedTypes) = try MediaTerms.types(of: medium, local: local)
        case .file: (format, wrappedTypes) = try MediaTerms.fileTypes(of: medium)
        }
        fingerprints = isTLS ? try MediaTerms.fingerprints(of: medium, in: description) : []
        maxSize = medium.maxSize
        chatroom = medium.chatroom
        direction = description.direction(of: medium).mirrored
        setup = description.setup(of: medium)
        hasCEMA = medium.hasCEMA
        connection = description.connection(of: medium).flatMap {
            HostAddress($0.address).isUnspecified ? nil : $0
        }
        port = medium.port
    }

    /// RFC 4975 section 8.2: one or more URIs, the last names the session.
    private static func path(of medium: MediaDescription) throws(Refusal) -> (String, [PathURI]) {
        guard medium.hasAttribute("path") else { throw .noPath }
        let words = medium.path
        guard !words.isEmpty, words.count <= pathURIs else { throw .badPath }
        var uris: [PathURI] = []
        for word in words {
            guard let uri = PathURI(parsing: word) else { throw .badPath }
            uris.append(uri)
        }
        let path = words.joined(separator: " ")
        guard uris.last?.sessionID != nil, path.utf8.count <= pathOctets else { throw .badPath }
        return (path, uris)
    }

    /// RFC 7701 section 5.2: message/cpim for whoever takes it; text/plain where the room lets others in.
    private static func types(
        of medium: MediaDescription, local: LocalMedia
    ) throws(Refusal) -> (ChosenMedia.Format, MediaTypeList) {
        guard let types = medium.acceptTypes, !types.isEmpty else { throw .noAcceptTypes }
        if types.allows("message/cpim") {
            let wrapped = types.entries + (medium.acceptWrappedTypes?.entries ?? [])
            return (.cpim, kept(wrapped.filter { $0 != "message/cpim" && $0 != "message/*" }))
        }
        guard local.allowsPlainText, types.allows("text/plain") else { throw .noCommonType }
        return (.plainText, MediaTypeList(["text/plain"]))
    }

    /// A file may have any type, and comes as it is to who takes that, else in message/cpim. What a given file is sent
    /// as is `FileNegotiation.Examination.format(for:)`.
    private static func fileTypes(of medium: MediaDescription) throws(Refusal) -> (ChosenMedia.Format, MediaTypeList) {
        guard let types = medium.acceptTypes, !types.isEmpty else { throw .noAcceptTypes }
        let isWrapped = !types.allowsAnything && types.allows("message/cpim")
        return (isWrapped ? .cpim : .plainText, kept(medium.acceptWrappedTypes?.entries ?? []))
    }

    static func kept(_ entries: [String]) -> MediaTypeList {
        guard !entries.isEmpty, !entries.contains("*") else { return MediaTypeList(["*"]) }
        var kept: [String] = []
        var octets = 0
        for entry in entries {
            octets += entry.utf8.count + 1
            guard octets <= typeOctets else { break }
            if !kept.contains(entry) { kept.append(entry) }
        }
        return MediaTypeList(kept)
    }

    /// RFC 8122 section 5: at media level, else at session level; one whose hash is not used here is passed over when
    /// another is there, but never all of them. Of those that remain only the ones with the strongest hash are believed
    /// (section 5.1), or a weak one would do beside a strong one.
    private static func fingerprints(
        of medium: MediaDescription, in description: SessionDescription
    ) throws(Refusal) -> [Fingerprint] {
        var values = medium.attributes("fingerprint")
        if values.isEmpty { values = description.lines.attributes("fingerprint") }
        var known: [Fingerprint] = []
        for value in values {
            switch Fingerprint.parse(value) {
            case .fingerprint(let fingerprint): known.append(fingerprint)
            case .unusable: continue
            case .malformed: throw .badFingerprint
            }
        }
        guard values.isEmpty || !known.isEmpty, known.count <= MediaTerms.fingerprints else { throw .badFingerprint }
        let strongest = known.map(\.hash.length).max()
        return known.filter { $0.hash.length == strongest }
    }

    /// Whoever connects goes by the URI (RFC 4975 section 8.2): it must not ask for TLS where the m= line does not, nor
    /// the other way round.
    func checkScheme(role: ChosenMedia.Role) throws(Refusal) {
        guard role == .passive || first.isTLS == isTLS else { throw .otherScheme }
    }

    func chosen(role: ChosenMedia.Role, usesCEMA: Bool, connectsToConnectionLine: Bool, index: Int) -> ChosenMedia {
        var target: ChosenMedia.Target?
        if role == .active {
            if connectsToConnectionLine, let connection {
                target = .init(host: connection.address, port: port)
            } else {
                target = .init(host: first.host, port: first.port)
            }
        }
        return ChosenMedia(
            remotePath: path, isTLS: isTLS, role: role, target: target, usesCEMA: usesCEMA, format: format,
            wrappedTypes: wrappedTypes, maxSize: maxSize, chatroom: chatroom, fingerprints: fingerprints,
            direction: direction, mediaIndex: index)
    }
}
