import Testing

@testable import Payloads

/// Each case of RFC 6135 section 4.2 with RFC 6714 sections 4.2 and 4.3, as one table: who connects, where to, and
/// whether a=msrp-cema stands in the answer.
@Suite("Who connects where, every combination (RFC 6135, RFC 6714)")
struct NegotiationMatrixTests {
    enum Lines: CaseIterable {
        case same
        case elsewhere
        /// `c=IN IP4 0.0.0.0`, or no c= line: nothing that could be compared or connected to.
        case unspecified
        case missing
    }

    enum Place: Equatable {
        case nowhere
        case path
        case lines
    }

    struct Outcome: Equatable {
        let place: Place
        let answersCEMA: Bool
    }

    struct Combination: CustomStringConvertible {
        let setup: String?
        let lines: Lines
        let hasCEMA: Bool
        let theirRelay: Bool
        let ourRelay: Bool
        let isIPv6: Bool

        static let all: [Combination] = {
            var all: [Combination] = []
            for setup in [nil, "active", "passive", "actpass", "holdconn"] {
                for lines in Lines.allCases {
                    for bits in 0..<16 {
                        all.append(
                            Combination(
                                setup: setup, lines: lines, hasCEMA: bits & 1 != 0, theirRelay: bits & 2 != 0,
                                ourRelay: bits & 4 != 0, isIPv6: bits & 8 != 0))
                    }
                }
            }
            return all
        }()

        var host: String { isIPv6 ? "[2001:db8::7]" : "192.0.2.7" }
        var relay: String { isIPv6 ? "[2001:db8::200]" : "203.0.113.200" }
        var path: String {
            let own = "msrp://\(host):2855/peer;tcp"
            return theirRelay ? "msrp://\(relay):9000/relay;tcp \(own)" : own
        }
        var first: ChosenMedia.Target {
            let place = theirRelay ? relay : host
            return .init(host: isIPv6 ? String(place.dropFirst().dropLast()) : place, port: theirRelay ? 9000 : 2855)
        }
        var elsewhere: ChosenMedia.Target { .init(host: isIPv6 ? "2001:db8::5" : "203.0.113.5", port: 4000) }

        func sdp() -> [UInt8] {
            let family = isIPv6 ? "IN IP6" : "IN IP4"
            let own = isIPv6 ? "2001:DB8:0::7" : "192.0.2.7"
            let connection: String? =
                switch lines {
                case .same: "\(family) \(own)"
                case .elsewhere: "\(family) \(elsewhere.host)"
                case .unspecified: isIPv6 ? "IN IP6 ::" : "IN IP4 0.0.0.0"
                case .missing: nil
                }
            return offer(
                port: lines == .elsewhere ? 4000 : 2855, connection: connection, path: path,
                attributes: (setup.map { ["a=setup:\($0)"] } ?? []) + (hasCEMA ? ["a=msrp-cema"] : []))
        }

        var description: String {
            "\(setup ?? "none"), c= \(lines)\(hasCEMA ? ", CEMA" : "")\(theirRelay ? ", their relay" : "")"
                + "\(ourRelay ? ", our relay" : "")\(isIPv6 ? ", IPv6" : "")"
        }
    }

    /// RFC 6714 section 4.3; nil is 488.
    private func answerer(_ it: Combination) -> Outcome? {
        let weConnect = it.setup == "passive"
        if !it.hasCEMA, weConnect, it.lines == .elsewhere { return nil }
        let offererConnects = it.setup == nil || it.setup == "holdconn" || it.setup == "active"
        let fallsBack =
            (it.theirRelay && it.ourRelay) || (it.theirRelay && offererConnects) || (it.ourRelay && weConnect)
        let usesCEMA = it.hasCEMA && !fallsBack
        let isNamed = it.lines == .same || it.lines == .elsewhere
        return Outcome(
            place: !weConnect ? .nowhere : usesCEMA && isNamed ? .lines : .path, answersCEMA: usesCEMA)
    }

    @Test("the answerer's, by RFC 6714 section 4.3", arguments: Combination.all)
    func answers(_ it: Combination) throws {
        var machine = negotiation(LocalMedia(usesRelay: it.ourRelay))
        guard let expected = answerer(it) else {
            #expect(throws: Refusal.addressMismatch) { try machine.examine(offer: it.sdp()) }
            return
        }
        let media = try machine.examine(offer: it.sdp()).media
        check(media, expected.place, it)
        let answer = text(machine.answer(localPath: ourPath))
        #expect(answer.contains("a=msrp-cema\r\n") == expected.answersCEMA)
        #expect(answer.contains("a=setup:\(expected.place == .nowhere ? "passive" : "active")\r\n"))
        #expect(media.remotePath == it.path)
    }

    /// RFC 6714 section 4.2; nil asks for an offer without a=msrp-cema.
    private func offerer(_ it: Combination, offeredCEMA: Bool) -> Place? {
        let weConnect = it.setup != "active"
        guard offeredCEMA else { return weConnect ? .path : .nowhere }
        let isNamed = it.lines == .same || it.lines == .elsewhere
        if !it.hasCEMA {
            if it.lines == .elsewhere, !weConnect || it.ourRelay || it.theirRelay { return nil }
            if it.theirRelay || it.ourRelay { return weConnect ? .path : .nowhere }
        }
        guard weConnect else { return .nowhere }
        return it.ourRelay || !isNamed ? .path : .lines
    }

    @Test("the offerer's, by RFC 6714 section 4.2", arguments: Combination.all, [false, true])
    func offers(_ it: Combination, offeredCEMA: Bool) throws {
        // actpass is no answer.
        guard it.setup != "actpass" else { return }
        var machine = negotiation(LocalMedia(usesRelay: it.ourRelay))
        let offer = text(machine.makeOffer(localPath: ourPath, cema: offeredCEMA))
        #expect(offer.contains("a=setup:actpass\r\n"))
        #expect(offer.contains("a=msrp-cema\r\n") == offeredCEMA)
        guard let expected = offerer(it, offeredCEMA: offeredCEMA) else {
            #expect(throws: AnswerError.needsOfferWithoutCEMA) { try machine.acceptAnswer(it.sdp()) }
            return
        }
        check(try machine.acceptAnswer(it.sdp()).media, expected, it)
    }

    private func check(_ media: ChosenMedia, _ place: Place, _ it: Combination) {
        #expect(media.role == (place == .nowhere ? .passive : .active))
        let target: ChosenMedia.Target? =
            switch place {
            case .nowhere: nil
            case .path: it.first
            case .lines: it.lines == .elsewhere ? it.elsewhere : it.own
            }
        #expect(media.target == target)
    }
}

extension NegotiationMatrixTests.Combination {
    /// As the c= line spells it.
    fileprivate var own: ChosenMedia.Target { .init(host: isIPv6 ? "2001:DB8:0::7" : "192.0.2.7", port: 2855) }
}
