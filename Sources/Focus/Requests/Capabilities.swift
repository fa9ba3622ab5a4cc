package import SIP

/// What the focus does, as its headers say it (RFC 3261 section 13.3.1.4, RFC 4579 section 5.13). A method that isn't
/// served is not listed, so that nobody waits for it.
package enum Capabilities {
    package static let methods = [
        "INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "OPTIONS", "SUBSCRIBE", "NOTIFY", "REFER", "PUBLISH",
    ]
    /// RFC 4028, 3891, 3911, 4488, 5368, 5366.
    package static let optionTags = [
        "timer", "replaces", "join", "norefersub", "multiple-refer", "recipient-list-invite",
    ]
    /// The package of a focus (RFC 4575), as RFC 4579 section 5.13 wants it named. That of a REFER (RFC 3515) is not
    /// subscribed to by SUBSCRIBE, but its subscriptions are refreshed and ended by it.
    package static let eventPackages = ["conference", "refer"]
    /// Bodies of an INVITE that are understood (RFC 3261 section 20.1, RFC 5621 section 3).
    package static let bodyTypes = [
        "application/sdp", "multipart/mixed", "multipart/alternative", "application/resource-lists+xml",
    ]
    /// Bodies of other requests: NOTIFY of a REFER of ours (RFC 4579 section 5.13 names it), PUBLISH.
    private static let furtherTypes = ["message/sipfrag", "application/conference-info+xml"]

    static let allow = HeaderField("Allow", methods.joined(separator: ", "))
    static let accept = HeaderField("Accept", bodyTypes.joined(separator: ", "))

    /// Sets what the stack writes by itself to what the focus does.
    package static func apply(to configuration: inout SIPConfiguration) {
        configuration.allow = methods
        configuration.supported = optionTags
        configuration.allowEvents = eventPackages
        configuration.accept = bodyTypes + furtherTypes
    }

    /// Methods that SIP's RFCs define: 405 where they are not served, 501 for others (RFC 3261 sections 8.2.1, 21.5.2).
    static let knownMethods: Set<String> = [
        "INVITE", "ACK", "CANCEL", "BYE", "UPDATE", "OPTIONS", "REGISTER", "MESSAGE", "REFER", "SUBSCRIBE", "NOTIFY",
        "PUBLISH", "INFO", "PRACK",
    ]
}
