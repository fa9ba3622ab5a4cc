import SIP

/// What a trusted peer says about who a request is from: P-Asserted-Identity (RFC 3325 section 9.1).
struct AssertedIdentity: Equatable, Sendable {
    /// The sip or sips URI, else the tel URI.
    let uri: String
    /// The tel URI beside the sip URI.
    let telephone: String?
    let displayName: String?
    /// The user and host of the sip URI; nil: there is a tel URI only.
    let address: SIPURI?

    /// Nil when nothing usable is asserted. One sip or sips URI and one tel URI count, the first of each.
    init?(of request: Request) {
        let values = request.headers.all("P-Asserted-Identity").flatMap { NameAddr.list($0) }
        let sip = values.first { $0.uri.isSIP && $0.uri.user != nil && !$0.uri.isAnonymous && $0.uri.hasPlainUser }
        let tel = values.first { $0.uri.scheme == "tel" }
        let number = tel.flatMap { Self.telephone($0.uri) }
        if let sip {
            let bare = SIPURI(scheme: sip.uri.scheme, user: sip.uri.user, host: sip.uri.host, port: sip.uri.port)
            address = bare
            uri = bare.description
            telephone = number
            displayName = sip.displayName ?? tel?.displayName
        } else if let number {
            address = nil
            uri = number
            telephone = nil
            displayName = tel?.displayName
        } else {
            return nil
        }
    }

    /// `tel:+49301234`, without visual separators and parameters that say nothing about who it is (RFC 3966
    /// section 4); nil for what is no number.
    private static func telephone(_ uri: SIPURI) -> String? {
        guard let opaque = uri.opaque else { return nil }
        let parts = opaque.split(separator: ";", omittingEmptySubsequences: false)
        let digits = (parts.first ?? "").filter { !"-.()".contains($0) }
        let isGlobal = digits.hasPrefix("+")
        let number = isGlobal ? digits.dropFirst() : digits[...]
        guard (1...32).contains(number.utf8.count), number.utf8.allSatisfy(isPhoneDigit) else { return nil }
        if isGlobal { return "tel:\(digits)" }
        // A local number means something only together with its context.
        let name = "phone-context="
        guard let context = parts.dropFirst().first(where: { $0.lowercased().hasPrefix(name) }),
            (name.utf8.count + 1...255).contains(context.utf8.count),
            context.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7F })
        else { return nil }
        return "tel:\(digits);\(context.lowercased())"
    }

    private static func isPhoneDigit(_ octet: UInt8) -> Bool {
        switch octet {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"), UInt8(ascii: "*"), UInt8(ascii: "#"):
            true
        default: false
        }
    }
}

/// Whether a request asks that its sender's name be kept from others: the Privacy header (RFC 3323 section 4.2,
/// RFC 3325 section 9.3).
enum Privacy {
    /// `id` hides the asserted identity, `user` the user's own words about itself, `header` what leads back to it. Each
    /// of them is kept by the same means here: others see an anonymous URI and no name.
    static func isAsked(_ request: Request) -> Bool {
        let values = request.headers.all("Privacy").flatMap { $0.split { $0 == ";" || $0 == "," || $0 == " " } }
            .map { $0.lowercased() }
        // With "none" there must be no other, and no service may add any.
        return !values.contains("none") && values.contains { $0 == "id" || $0 == "user" || $0 == "header" }
    }
}

extension SIPURI {
    /// RFC 3323 section 4.1.1.3.
    var isAnonymous: Bool { RoomResolver.normalized(host) == Identity.anonymousHost }

    /// Without characters that would tear log lines apart, and short enough to be a name.
    var hasPlainUser: Bool {
        guard let user else { return true }
        return user.utf8.count <= Identity.longestUser
            && user.unicodeScalars.allSatisfy { $0.value >= 0x20 && !(0x7F...0x9F).contains($0.value) }
            && !user.unicodeScalars.contains("\u{2028}") && !user.unicodeScalars.contains("\u{2029}")
    }
}
