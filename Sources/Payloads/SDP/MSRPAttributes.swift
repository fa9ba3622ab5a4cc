/// Where MSRP lets who open the connection (RFC 4145 section 4; RFC 6135 section 4.2). There is no holdconn: MSRP
/// must treat it as absent.
package enum Setup: String, Sendable, Hashable {
    case active, passive, actpass

    package init?(parsing value: String) {
        self.init(rawValue: ASCII.lowercased(value.filter { $0 != " " }))
    }
}

/// The direction attribute, seen by whoever wrote it (RFC 3264 section 5.1).
package enum Direction: String, Sendable, Hashable {
    case sendrecv, sendonly, recvonly, inactive

    init?(in lines: [SDPLine]) {
        for line in lines {
            if let name = line.attributeName, let direction = Direction(rawValue: name) {
                self = direction
                return
            }
        }
        return nil
    }

    /// The same direction seen from the other end (RFC 3264 section 6.1).
    package var mirrored: Direction {
        switch self {
        case .sendrecv: .sendrecv
        case .sendonly: .recvonly
        case .recvonly: .sendonly
        case .inactive: .inactive
        }
    }

    /// Whether whoever wrote it sends messages.
    package var sends: Bool { self == .sendrecv || self == .sendonly }

    /// Whether whoever wrote it wants messages.
    package var receives: Bool { self == .sendrecv || self == .recvonly }
}

/// What an end can do in a chat room: a=chatroom (RFC 7701 section 8). A declaration, not a negotiation.
package struct ChatroomCapabilities: Sendable, Hashable {
    package var nicknames: Bool
    package var privateMessages: Bool

    package init(nicknames: Bool, privateMessages: Bool) {
        self.nicknames = nicknames
        self.privateMessages = privateMessages
    }

    /// The RFC's token is `nickname`; its prose says `nicknames`, so both are taken.
    package init(parsing value: String) {
        let tokens = ASCII.words(value.utf8).map { ASCII.lowercased($0) }
        nicknames = tokens.contains("nickname") || tokens.contains("nicknames")
        privateMessages = tokens.contains("private-messages")
    }

    /// The attribute to write: `a=chatroom` alone when neither is allowed.
    package var line: SDPLine {
        let tokens = (nicknames ? ["nickname"] : []) + (privateMessages ? ["private-messages"] : [])
        return .attribute("chatroom", tokens.isEmpty ? nil : tokens.joined(separator: " "))
    }
}

extension MediaDescription {
    /// A line that proposes MSRP over TCP or TLS (RFC 4975 section 8.1), rejected (port 0) or not.
    package var isMSRP: Bool {
        ASCII.equalIgnoringCase(medium, "message")
            && (ASCII.equalIgnoringCase(transport, "TCP/MSRP") || ASCII.equalIgnoringCase(transport, "TCP/TLS/MSRP"))
    }

    /// Whether the transport is TCP/TLS/MSRP.
    package var isTLS: Bool { ASCII.equalIgnoringCase(transport, "TCP/TLS/MSRP") }

    /// The URIs of a=path, the adjacent hop first (RFC 4975 section 8.2).
    package var path: [String] { attribute("path").map { ASCII.words($0.utf8) } ?? [] }

    package var acceptTypes: MediaTypeList? { attribute("accept-types").map(MediaTypeList.init(parsing:)) }

    package var acceptWrappedTypes: MediaTypeList? {
        attribute("accept-wrapped-types").map(MediaTypeList.init(parsing:))
    }

    /// The largest message the writer wishes to get, in octets; more than 64 bits hold counts as no limit below it.
    package var maxSize: UInt64? {
        guard let value = attribute("max-size"), !value.isEmpty, value.utf8.allSatisfy(ASCII.isDigit) else {
            return nil
        }
        return ASCII.decimal(value.utf8) ?? .max
    }

    package var hasCEMA: Bool { hasAttribute("msrp-cema") }

    package var chatroom: ChatroomCapabilities? { attribute("chatroom").map(ChatroomCapabilities.init(parsing:)) }

    /// A file transfer (RFC 5547 section 6), not a chat.
    package var isFileTransfer: Bool { hasAttribute("file-selector") || hasAttribute("file-transfer-id") }
}
