import FileSpool
import MediaMixer
import Payloads
import SIP

/// What an offer asks for, found good: what the mixer is asked, and what the answer says.
struct FileWish: Sendable {
    let request: FileRequest
    /// Of a file that we send; nil: the peer's own words.
    let selector: FileSelector?
}

extension FileSelector {
    /// All that is known of a file, SHA-1 first: every implementation knows it (RFC 5547 section 6).
    init(_ file: SpooledFile) {
        self.init(
            name: file.name, type: file.type.flatMap { ContentType(parsing: $0) }, size: UInt64(clamping: file.size),
            hashes: [FileHash("sha-1", file.sha1), FileHash("sha-256", file.sha256)])
    }

    /// The file that is asked for: of several the newest (RFC 5547 section 8.3.2 leaves that to us).
    ///
    /// A hash says enough: people's clients guess types, and know a file by the name that somebody else gave it. Without one
    /// all that is said must be so.
    func choose(among files: [SpooledFile]) -> SpooledFile? {
        let known = hashes.filter { $0.algorithm == "sha-1" || $0.algorithm == "sha-256" }
        guard known.isEmpty else {
            let same = files.filter { file in
                known.allSatisfy { $0.digest == ($0.algorithm == "sha-1" ? file.sha1 : file.sha256) }
                    && (size ?? UInt64(clamping: file.size)) == UInt64(clamping: file.size)
            }
            return same.last { $0.name == name } ?? same.last
        }
        guard name != nil || type != nil || size != nil else { return nil }
        return files.last { file in
            let other = FileSelector(file)
            return (name ?? file.name) == file.name && (type == nil || type?.essence == other.type?.essence)
                && (size ?? UInt64(clamping: file.size)) == UInt64(clamping: file.size)
        }
    }
}

extension FileOffer {
    /// - Returns: nil when the size is beyond all bounds.
    init?(_ selector: FileSelector) {
        var size: Int?
        if let offered = selector.size {
            guard let number = Int(exactly: offered) else { return nil }
            size = number
        }
        self.init(
            name: selector.name ?? "", type: selector.type?.value, size: size,
            hashes: selector.hashes.map { CertificateFingerprint(hash: $0.algorithm, digest: $0.digest) })
    }
}

extension ConferenceInfo.File {
    init(_ file: SpooledFile) {
        self.init(
            name: file.name, hash: FileHash("sha-1", file.sha1).value, size: UInt64(clamping: file.size),
            sender: file.sender)
    }
}

extension RoomAddress {
    /// Of `user@domain`.
    init?(spooled text: String) {
        guard let at = text.lastIndex(of: "@"), at != text.startIndex else { return nil }
        self.init(user: String(text[..<at]), domain: String(text[text.index(after: at)...]))
    }
}

extension Rejection {
    /// RFC 5547 section 8.3.2 wants the offer refused; who looks for the room's own files gets the status of what isn't there.
    static func noSuchFile(agent: String) -> Rejection {
        .file(404, "There is no such file in this room", agent: agent)
    }

    /// - Parameter limit: octets; nil: not known here.
    static func fileTooLarge(_ limit: Int?, agent: String) -> Rejection {
        .file(413, limit.map { "Files of at most \($0) octets are taken" } ?? "The file is too large", agent: agent)
    }

    static func noFiles(agent: String) -> Rejection {
        .file(488, warning: 305, "This room takes no files", agent: agent)
    }

    static func file(_ status: Int, warning code: Int = 399, _ text: String, agent: String) -> Rejection {
        Rejection(Refusal(status: status, warningCode: code, text: text), agent: agent)
    }
}

extension HangUpReason {
    static let fileDone = file(200, "The file transfer is done")

    static func value(_ failure: FileFailure) -> String {
        switch failure {
        case .interrupted: file(408, "The file transfer was interrupted")
        case .abandoned: file(487, "The file was given up")
        case .hashMismatch: file(488, "The file is not the one that was announced")
        case .wrongSize: file(488, "The file is not as large as was announced")
        case .limit: file(413, "There is no room for the file")
        case .disk: file(500, "The file could not be kept")
        case .fingerprintMismatch: file(488, "The certificate is not the one announced")
        case .connectFailed: file(480, "The MSRP connection could not be made")
        }
    }

    private static func file(_ cause: Int, _ text: String) -> String { "SIP;cause=\(cause);text=\"\(text)\"" }
}
