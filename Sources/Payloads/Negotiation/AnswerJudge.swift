/// The offerer's rules for the answer to its m= line: who connects (RFC 6135), and where to (RFC 6714 section 4.2).
enum AnswerJudge {
    /// - Parameters:
    ///   - index: the m= line of our offer.
    ///   - offeredTLS: what it said.
    ///   - offeredCEMA: whether it carried a=msrp-cema.
    static func judge(
        _ description: SessionDescription, index: Int, local: LocalMedia, offeredTLS: Bool, offeredCEMA: Bool,
        purpose: MediaPurpose = .chat
    ) throws(AnswerError) -> ChosenMedia {
        guard index < description.media.count else { throw .rejected }
        let medium = description.media[index]
        guard medium.port != 0 else { throw .rejected }
        guard medium.isMSRP, medium.isTLS == offeredTLS else { throw .otherTransport }
        let terms: MediaTerms
        do { terms = try MediaTerms(description, medium, local: local, purpose: purpose) } catch {
            throw .unusable(error)
        }

        // Without a=setup in the answer the offerer connects (RFC 6135 section 5).
        let role: ChosenMedia.Role = local.offeredSetup == .active || terms.setup != .active ? .active : .passive
        do { try terms.checkScheme(role: role) } catch { throw .unusable(error) }
        let usesConnectionLine = try usesConnectionLine(terms, role: role, local: local, offeredCEMA: offeredCEMA)
        return terms.chosen(
            role: role, usesCEMA: offeredCEMA && terms.hasCEMA, connectsToConnectionLine: usesConnectionLine,
            index: index)
    }

    private static func usesConnectionLine(
        _ terms: MediaTerms, role: ChosenMedia.Role, local: LocalMedia, offeredCEMA: Bool
    ) throws(AnswerError) -> Bool {
        guard offeredCEMA else { return false }
        if terms.hasCEMA { return role == .active && !local.usesRelay }
        if !terms.connectionMatchesPath {
            switch role {
            case .passive: throw .needsOfferWithoutCEMA  // criterion 1
            case .active:
                // criteria 2 and 3
                if local.usesRelay || terms.usesRelay { throw .needsOfferWithoutCEMA }
            }
        }
        // A relay at the other end whose address stands in the lines: no middlebox, so the path it is.
        return role == .active && !terms.usesRelay && !local.usesRelay
    }
}
