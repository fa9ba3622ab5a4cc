/// The three words that name a dialog, as Replaces, Join and Target-Dialog write them (RFC 3891 section 3, RFC 3911
/// section 7, RFC 4538 section 7).
package struct DialogName: Sendable, Hashable {
    package let callID: String
    /// The tag of who receives the header: for us, our own.
    package let localTag: String
    /// The tag of the other side.
    package let remoteTag: String
    /// Whether only a dialog that is not yet established is meant (RFC 3891 section 3).
    package let isEarlyOnly: Bool

    package init(callID: String, localTag: String, remoteTag: String, isEarlyOnly: Bool = false) {
        self.callID = callID
        self.localTag = localTag
        self.remoteTag = remoteTag
        self.isEarlyOnly = isEarlyOnly
    }

    /// Parses `call-id;to-tag=1;from-tag=2`, with the parameters in any order; both tags must be there.
    package init?(_ text: some StringProtocol) {
        let text = Substring(text)
        let end = text.firstIndex(of: ";") ?? text.endIndex
        let callID = text[..<end].trimmingBlanks()
        let parameters = Parameters.parse(text[end...])
        // Target-Dialog names the tags by who they belong to (RFC 4538 section 7).
        guard !callID.isEmpty, callID.utf8.allSatisfy({ $0 > 0x20 && $0 != 0x7f && $0 != 0x2c }),
            let local = Parameters.value(of: "to-tag", in: parameters)
                ?? Parameters.value(of: "remote-tag", in: parameters),
            let remote = Parameters.value(of: "from-tag", in: parameters)
                ?? Parameters.value(of: "local-tag", in: parameters), !local.isEmpty, !remote.isEmpty
        else { return nil }
        self.init(
            callID: String(callID), localTag: local, remoteTag: remote,
            isEarlyOnly: Parameters.value(of: "early-only", in: parameters) != nil)
    }
}

/// A header that names a dialog: what is wrong with it is another answer than that there is none.
package enum DialogHeader: Sendable, Hashable {
    case absent
    /// Several of them, or one that does not name a dialog: 400 (RFC 3891 section 3, RFC 3911 section 4).
    case malformed
    case dialog(DialogName)

    init(_ values: [String]) {
        guard let value = values.first else {
            self = .absent
            return
        }
        guard values.count == 1, Quoting.split(Substring(value), at: ",").count == 1, let name = DialogName(value)
        else {
            self = .malformed
            return
        }
        self = .dialog(name)
    }

    package var name: DialogName? { if case .dialog(let name) = self { name } else { nil } }
}

/// The value of Event (RFC 6665 section 8.2.1).
package struct EventName: Sendable, Hashable, CustomStringConvertible {
    /// The package with its templates, such as `conference` or `presence.winfo`.
    package let package: String
    package let id: String?

    package init(_ package: String, id: String? = nil) {
        self.package = package
        self.id = id
    }

    package init?(parsing text: some StringProtocol) {
        let text = Substring(text)
        let end = text.firstIndex(of: ";") ?? text.endIndex
        let name = text[..<end].trimmingBlanks()
        guard !name.isEmpty, name.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x2c }) else { return nil }
        package = String(name)
        id = Parameters.value(of: "id", in: Parameters.parse(text[end...]))
    }

    package var description: String { id.map { "\(package);id=\($0)" } ?? package }
}

/// The value of Subscription-State (RFC 6665 section 8.2.3).
package struct SubscriptionState: Sendable, Hashable, CustomStringConvertible {
    /// `active`, `pending`, `terminated`, in lower case; others are to be taken as they come.
    package let state: String
    package let reason: String?
    /// Seconds.
    package let expires: Int?
    /// Seconds.
    package let retryAfter: Int?

    package init(_ state: String, reason: String? = nil, expires: Int? = nil, retryAfter: Int? = nil) {
        self.state = state
        self.reason = reason
        self.expires = expires
        self.retryAfter = retryAfter
    }

    package init?(parsing text: some StringProtocol) {
        let text = Substring(text)
        let end = text.firstIndex(of: ";") ?? text.endIndex
        let state = text[..<end].trimmingBlanks()
        guard !state.isEmpty, state.utf8.allSatisfy({ $0 > 0x20 && $0 < 0x7f && $0 != 0x2c }) else { return nil }
        let parameters = Parameters.parse(text[end...])
        self.init(
            state.lowercased(), reason: Parameters.value(of: "reason", in: parameters)?.lowercased(),
            expires: DeltaSeconds.parse(Parameters.value(of: "expires", in: parameters)),
            retryAfter: DeltaSeconds.parse(Parameters.value(of: "retry-after", in: parameters)))
    }

    package var isTerminated: Bool { state == "terminated" }

    package var description: String {
        var text = state
        if let reason { text += ";reason=\(reason)" }
        if let expires { text += ";expires=\(expires)" }
        if let retryAfter { text += ";retry-after=\(retryAfter)" }
        return text
    }
}

/// Numbers of seconds (RFC 3261 section 25.1, delta-seconds): what is larger than 32 bits hold is the largest of those.
enum DeltaSeconds {
    static func parse(_ text: String?) -> Int? {
        guard let digits = text.map({ Substring($0).trimmingBlanks() }), !digits.isEmpty, digits.utf8.count <= 64,
            digits.utf8.allSatisfy(\.isDigit)
        else { return nil }
        return min(Int(digits) ?? Int(UInt32.max), Int(UInt32.max))
    }
}

extension Request {
    /// RFC 3911: the dialog that the caller wants to be in a conference with.
    package var join: DialogHeader { DialogHeader(headers.all("Join")) }
    /// RFC 3891: the dialog whose place the new one takes.
    package var replaces: DialogHeader { DialogHeader(headers.all("Replaces")) }
    /// RFC 4538: the dialog that the sender proves to know of.
    package var targetDialog: DialogHeader { DialogHeader(headers.all("Target-Dialog")) }
    /// Every Refer-To; a request with more or fewer than one is malformed (RFC 3515 section 2.4.1). Of a value that
    /// cannot be parsed nothing is known but that it is there.
    package var referTo: [NameAddr?] {
        headers.all("Refer-To").flatMap { value in Quoting.split(Substring(value), at: ",").map { NameAddr($0) } }
    }
    package var referredBy: NameAddr? { headers["Referred-By"].flatMap { NameAddr($0) } }
    /// Refer-Sub (RFC 4488 section 4); nil when absent or neither of the two.
    package var referSub: Bool? {
        switch headers["Refer-Sub"].map({ $0.prefix { $0 != ";" && $0 != " " }.lowercased() }) {
        case "true": true
        case "false": false
        default: nil
        }
    }
    package var event: EventName? { headers["Event"].flatMap { EventName(parsing: $0) } }
    /// Seconds (RFC 3261 section 20.19); nil when absent or malformed.
    package var expires: Int? { DeltaSeconds.parse(headers["Expires"]) }
    package var subscriptionState: SubscriptionState? {
        headers["Subscription-State"].flatMap { SubscriptionState(parsing: $0) }
    }
}

extension Response {
    /// Seconds; nil when absent or malformed.
    package var expires: Int? { DeltaSeconds.parse(headers["Expires"]) }
    /// Seconds that Retry-After asks for (RFC 3261 section 20.33).
    package var retryAfter: Int? {
        DeltaSeconds.parse(headers["Retry-After"].map { String($0.prefix { $0 >= "0" && $0 <= "9" }) })
    }
}
