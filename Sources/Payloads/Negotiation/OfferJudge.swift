/// The answerer's rules for one offered m= line: who connects (RFC 6135), and where to (RFC 6714 section 4.3).
enum OfferJudge {
    /// The first usable m= line of an offer; in a running session the one in use comes first.
    /// - Parameter judge: what a line is, by its index.
    /// - Throws: why the line that says most is not usable.
    static func first<Found>(
        of description: SessionDescription, established: ChosenMedia?, judge: (Int) throws(Refusal) -> Found
    ) throws(Refusal) -> Found {
        var order = Array(description.media.indices)
        if let established, order.contains(established.mediaIndex) {
            order.removeAll { $0 == established.mediaIndex }
            order.insert(established.mediaIndex, at: 0)
        }
        var reason: Refusal?
        for index in order {
            do {
                return try judge(index)
            } catch {
                // What hinders an m=message line says more than that another line is none.
                if reason == nil || reason == .noMSRP || reason == .disabled && error != .noMSRP { reason = error }
            }
        }
        throw reason ?? .noMSRP
    }

    /// - Parameter established: what the last exchange settled, when the dialog has a session.
    /// - Throws: why this line is not usable.
    static func judge(
        _ description: SessionDescription, index: Int, local: LocalMedia, established: ChosenMedia?,
        purpose: MediaPurpose = .chat
    ) throws(Refusal) -> ChosenMedia {
        let terms = try MediaTerms(description, description.media[index], local: local, purpose: purpose)
        var role = role(offered: terms.setup)
        if terms.setup == .actpass, let established, established.remotePath == terms.path,
            established.isTLS == terms.isTLS
        {
            // The connection stands; the answer says which end had made it.
            role = established.role
        }
        try terms.checkScheme(role: role)
        // RFC 6714 section 4.3 would refuse this at any time. When the peer connects to us, nobody uses the lines in
        // question, and refusing would shut out clients behind NAT whose c= line says 9 or another of their addresses.
        if !terms.hasCEMA, role == .active, !terms.connectionMatchesPath { throw .addressMismatch }
        let usesCEMA = terms.hasCEMA && !fallsBack(terms, local: local)
        return terms.chosen(role: role, usesCEMA: usesCEMA, connectsToConnectionLine: usesCEMA, index: index)
    }

    /// RFC 6135 section 4.2.2: we can be reached, so we are passive unless the offerer insists on being that. Without
    /// a=setup the offerer connects (RFC 4975 section 8.5).
    private static func role(offered: Setup?) -> ChosenMedia.Role { offered == .passive ? .active : .passive }

    /// The three cases of RFC 6714 section 4.3 in which a=msrp-cema must not be answered.
    private static func fallsBack(_ terms: MediaTerms, local: LocalMedia) -> Bool {
        let bothUseRelays = local.usesRelay && terms.usesRelay
        let relayedOffererConnects = terms.usesRelay && (terms.setup == nil || terms.setup == .active)
        let relayedWeMustConnect = local.usesRelay && terms.setup == .passive
        return bothUseRelays || relayedOffererConnects || relayedWeMustConnect
    }
}
