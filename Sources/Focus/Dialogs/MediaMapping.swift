import MediaMixer
import Payloads

extension PeerMedia {
    /// What was agreed, as the mixer wants it.
    init(_ chosen: ChosenMedia) {
        let role: Role =
            switch (chosen.role, chosen.target) {
            case (.active, let target?): .weConnect(host: target.host, port: Int(target.port))
            case (.active, nil), (.passive, _): .peerConnects
            }
        self.init(
            path: chosen.remotePath, role: role, isTLS: chosen.isTLS,
            format: chosen.format == .cpim ? .cpim : .plainText,
            acceptedWrappedTypes: chosen.wrappedTypes.allowsAnything ? ["*"] : chosen.wrappedTypes.entries,
            maximumSize: chosen.maxSize.map { Int(clamping: $0) },
            isChatRoomAware: chosen.chatroom != nil,
            supportsPrivateMessages: chosen.chatroom?.privateMessages ?? false,
            supportsNicknames: chosen.chatroom?.nicknames ?? false,
            fingerprints: chosen.fingerprints.map { .init(hash: $0.hash.rawValue, digest: $0.digest) },
            direction: .init(chosen.direction))
    }

    /// Before the peer has said anything: our offer goes first. `path` is empty until the answer names it.
    static func offered(isTLS: Bool) -> PeerMedia {
        PeerMedia(path: "", role: .peerConnects, isTLS: isTLS, format: .cpim)
    }
}

extension PeerMedia.Direction {
    /// The mixer sees the stream from the peer's side, the answer from ours.
    init(_ ours: Direction) {
        self =
            switch ours {
            case .sendrecv: .sendReceive
            case .sendonly: .receiveOnly
            case .recvonly: .sendOnly
            case .inactive: .inactive
            }
    }
}
