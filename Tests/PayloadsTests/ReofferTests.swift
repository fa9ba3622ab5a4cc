import Testing

@testable import Payloads

@Suite("Offers within a session, RFC 3264 section 8 and RFC 4975 section 8.4")
struct ReofferTests {
    private func established(_ first: [UInt8] = offer()) throws -> MSRPNegotiation {
        var machine = negotiation()
        _ = try machine.examine(offer: first)
        _ = machine.answer(localPath: ourPath)
        return machine
    }

    @Test("the same offer again: unchanged, the same answer with the same o= line (RFC 4975 section 8.4)")
    func refresh() throws {
        var machine = negotiation()
        _ = try machine.examine(offer: offer())
        let first = machine.answer(localPath: ourPath)
        #expect(try machine.examine(offer: offer()).change == .unchanged)
        #expect(machine.answer() == first)
        #expect(machine.localPath == ourPath)
    }

    @Test("hold and resume: the same session, the version goes up by one each (RFC 3264 section 8.4)")
    func hold() throws {
        var machine = try established()
        let held = try machine.examine(offer: offer(attributes: ["a=sendonly"]))
        #expect(held.change == .updated && held.media.direction == .recvonly)
        #expect(!held.media.direction.sends && held.media.direction.receives)
        let answer = text(machine.answer())
        #expect(answer.contains("o=- 77 2 IN") && answer.hasSuffix("a=recvonly\r\n"))
        #expect(try machine.examine(offer: offer()).change == .updated)
        #expect(text(machine.answer()).contains("o=- 77 3 IN"))
    }

    @Test("a new path is a new session (RFC 4975 section 5.4)")
    func newPath() throws {
        var machine = try established()
        let moved = try machine.examine(offer: offer(path: "msrp://192.0.2.7:2855/other;tcp"))
        #expect(moved.change == .newSession)
        let path = "msrp://198.51.100.1:2855/second;tcp"
        #expect(text(machine.answer(localPath: path)).contains("a=path:\(path)\r\n"))
        #expect(machine.localPath == path && machine.media == moved.media)
    }

    @Test("the same path over TLS is a new session")
    func newTransport() throws {
        var machine = try established()
        #expect(try machine.examine(offer: offer(transport: "TCP/TLS/MSRP")).change == .newSession)
    }

    @Test("a refused re-offer leaves the session as it was (RFC 3261 section 14.1)")
    func refused() throws {
        var machine = try established()
        let media = machine.media
        #expect(throws: Refusal.noPath) { try machine.examine(offer: offer(path: nil)) }
        #expect(throws: Refusal.disabled) { try machine.examine(offer: offer(port: 0)) }
        #expect(machine.media == media && machine.localPath == ourPath)
        #expect(try machine.examine(offer: offer()).change == .unchanged)
    }

    @Test("an abandoned offer leaves no answer behind (RFC 3261 section 14.1)")
    func abandoned() throws {
        var machine = try established()
        let before = machine.answer()
        _ = try machine.examine(offer: offer(path: "msrp://192.0.2.7:2855/other;tcp"))
        machine.abandon()
        #expect(machine.answer() == before)
        #expect(machine.media?.remotePath == "msrp://192.0.2.7:2855/peer;tcp")
    }

    @Test("in a running session the m= line in use comes before an earlier one (RFC 3264 section 8)")
    func sameLine() throws {
        let audio = Array(text(offer()).replacing("m=message", with: "m=audio 4000 RTP/AVP 0\r\nm=message").utf8)
        var machine = try established(audio)
        let message = "m=message 2855 TCP/MSRP *\r\na=path:msrp://192.0.2.7:2855/new;tcp\r\na=accept-types:*\r\n"
        let both = Array(text(audio).replacing("m=audio 4000 RTP/AVP 0\r\n", with: message).utf8)
        let examination = try machine.examine(offer: both)
        #expect(examination.change == .unchanged && examination.media.mediaIndex == 1)
    }

    @Test("actpass for a standing connection keeps the roles it was made in (RFC 4145 section 4.1)")
    func rolesStay() throws {
        var machine = negotiation()
        _ = try machine.examine(offer: offer(attributes: ["a=setup:passive"]))
        _ = machine.answer(localPath: ourPath)
        let again = try machine.examine(offer: offer(attributes: ["a=setup:actpass"]))
        #expect(again.change == .unchanged && again.media.role == .active)
        #expect(text(machine.answer()).contains("a=setup:active\r\n"))
    }

    @Test("the o= line's session id stays below 2^62 (RFC 3264 section 5)")
    func originID() throws {
        var machine = MSRPNegotiation(local: LocalMedia(), originID: .max)
        _ = try machine.examine(offer: offer())
        #expect(text(machine.answer(localPath: ourPath)).contains("o=- 4611686018427387903 1 IN"))
    }
}

@Suite("Our offers, RFC 3264 section 5")
struct OwnOfferTests {
    private let focus = LocalMedia(
        maxSize: 1_000, chatroom: ChatroomCapabilities(nicknames: true, privateMessages: false))

    private func answer(
        port: Int = 2855, transport: String = "TCP/MSRP", connection: String = "IN IP4 192.0.2.7",
        path: String? = "msrp://192.0.2.7:2855/peer;tcp", types: String? = "message/cpim", _ attributes: String...
    ) -> [UInt8] {
        offer(
            transport: transport, port: port, connection: connection, path: path, types: types, attributes: attributes)
    }

    @Test(
        "an INVITE without offer gets ours, message/cpim alone and actpass (RFC 6135 section 4.2.2, RFC 7701 section 5.2)"
    )
    func offerless() throws {
        var machine = MSRPNegotiation(local: focus, originID: 77)
        #expect(
            machine.makeOffer(localPath: ourPath)
                == crlf(
                    "v=0", "o=- 77 1 IN IP4 198.51.100.1", "s=-", "c=IN IP4 198.51.100.1", "t=0 0",
                    "m=message 2855 TCP/MSRP *", "a=accept-types:message/cpim", "a=accept-wrapped-types:*",
                    "a=max-size:1000", "a=path:\(ourPath)", "a=setup:actpass", "a=chatroom:nickname"))
        #expect(machine.media == nil)
        let examination = try machine.acceptAnswer(answer("a=setup:active"))
        #expect(examination.change == .initial && examination.media.role == .passive)
        #expect(machine.media == examination.media && machine.localPath == ourPath)
    }

    @Test("the path's scheme chooses the transport (RFC 4975 section 8.1)")
    func transport() throws {
        var machine = negotiation(
            LocalMedia(fingerprints: [Fingerprint(hash: .sha256, digest: Array(repeating: 0, count: 32))]))
        let offer = text(machine.makeOffer(localPath: ourTLSPath))
        #expect(offer.contains("TCP/TLS/MSRP *") && offer.contains("a=fingerprint:sha-256 00:00"))
        #expect(throws: AnswerError.otherTransport) { try machine.acceptAnswer(answer()) }
    }

    @Test(
        "the answer says who connects; without a=setup we do (RFC 6135 section 5)",
        arguments: [
            (nil, ChosenMedia.Role.active), ("passive", .active), ("active", .passive), ("holdconn", .active),
            ("actpass", .active),
        ])
    func roles(setup: String?, role: ChosenMedia.Role) throws {
        var machine = negotiation()
        _ = machine.makeOffer(localPath: ourPath)
        let attributes = setup.map { ["a=setup:\($0)"] } ?? []
        let media = try machine.acceptAnswer(offer(attributes: attributes)).media
        #expect(media.role == role)
        #expect(media.target == (role == .active ? .init(host: "192.0.2.7", port: 2855) : nil))
    }

    @Test("an offer of ours that says active is answered by a passive peer in any case (RFC 4145 section 4.1)")
    func activeOffer() throws {
        var client = negotiation(LocalMedia(acceptTypes: ["message/cpim", "text/plain"], offeredSetup: .active))
        let offer = text(client.makeOffer(localPath: ourPath))
        #expect(offer.contains("a=setup:active\r\n") && offer.contains("a=accept-types:message/cpim text/plain\r\n"))
        #expect(try client.acceptAnswer(answer("a=setup:active")).media.role == .active)
    }

    @Test("an answer that establishes nothing says why")
    func answers() throws {
        func outcome(_ answer: [UInt8]) -> AnswerError? {
            var machine = negotiation(LocalMedia(allowsPlainText: false))
            _ = machine.makeOffer(localPath: ourPath)
            do {
                _ = try machine.acceptAnswer(answer)
                return nil
            } catch { return error }
        }
        #expect(outcome(answer()) == nil)
        #expect(outcome(answer(port: 0)) == .rejected)
        #expect(outcome(crlf("v=0", "o=a 1 1 IN IP4 192.0.2.7", "s=-", "t=0 0")) == .rejected)
        #expect(outcome(answer(transport: "TCP/TLS/MSRP")) == .otherTransport)
        #expect(
            outcome(crlf("v=0", "o=a 1 1 IN IP4 192.0.2.7", "s=-", "t=0 0", "m=audio 1 RTP/AVP 0")) == .otherTransport)
        #expect(outcome(answer(path: nil)) == .unusable(.noPath))
        #expect(outcome(answer(types: nil)) == .unusable(.noAcceptTypes))
        #expect(outcome(answer(types: "text/plain")) == .unusable(.noCommonType))
        #expect(outcome([]) == .malformed(.unsupportedVersion))
        var machine = negotiation()
        #expect(throws: AnswerError.noOffer) { try machine.acceptAnswer(answer()) }
    }

    @Test("a peer that takes text/plain only may say so in its answer (RFC 4975 section 8.6)")
    func plainAnswer() throws {
        var machine = negotiation()
        _ = machine.makeOffer(localPath: ourPath)
        #expect(try machine.acceptAnswer(answer(types: "text/plain")).media.format == .plainText)
    }

    @Test("a re-offer keeps the m= lines in their places and names in their letters (RFC 3264 section 8)")
    func reoffer() throws {
        var machine = negotiation()
        let video = Array(text(offer()).replacing("m=message", with: "m=video 4000 RTP/AVP 31 32\r\nm=message").utf8)
        _ = try machine.examine(offer: video)
        _ = machine.answer(localPath: ourPath)
        let reoffer = text(machine.makeOffer(localPath: ourPath, direction: .sendonly))
        #expect(reoffer.contains("o=- 77 2 IN"))
        #expect(reoffer.contains("m=video 0 RTP/AVP 31 32\r\nm=message 2855 TCP/MSRP *\r\n"))
        #expect(reoffer.hasSuffix("a=setup:actpass\r\na=sendonly\r\n"))
        let answer = Array(text(video).replacing("m=video 4000", with: "m=video 0").utf8)
        let examination = try machine.acceptAnswer(answer)
        #expect(examination.media.mediaIndex == 1 && examination.media.remotePath.hasSuffix("/peer;tcp"))
    }

    @Test("a re-offer under another path of ours makes a new session")
    func newLocalPath() throws {
        var machine = negotiation()
        _ = machine.makeOffer(localPath: ourPath)
        _ = try machine.acceptAnswer(answer())
        _ = machine.makeOffer(localPath: "msrp://198.51.100.1:2855/second;tcp")
        #expect(try machine.acceptAnswer(answer()).change == .newSession)
    }

    @Test("CEMA in both: the active end uses c= and m= (RFC 6714 section 4.2)")
    func cema() throws {
        var machine = negotiation(LocalMedia(offersCEMA: true))
        #expect(text(machine.makeOffer(localPath: ourPath)).contains("a=setup:actpass\r\na=msrp-cema\r\n"))
        let media = try machine.acceptAnswer(
            answer(port: 4000, connection: "IN IP4 203.0.113.5", "a=setup:passive", "a=msrp-cema")
        ).media
        #expect(media.usesCEMA && media.target == .init(host: "203.0.113.5", port: 4000))
    }

    @Test("an answer's a=msrp-cema that we did not offer changes nothing")
    func unofferedCEMA() throws {
        var machine = negotiation()
        #expect(!text(machine.makeOffer(localPath: ourPath)).contains("cema"))
        let media = try machine.acceptAnswer(
            answer(port: 4000, connection: "IN IP4 203.0.113.5", "a=setup:passive", "a=msrp-cema")
        ).media
        #expect(!media.usesCEMA && media.target == .init(host: "192.0.2.7", port: 2855))
    }

    @Test("CEMA not answered: the three cases that want another offer, and those that do not (RFC 6714 section 4.2)")
    func cemaNotAnswered() throws {
        let relayed = "msrp://203.0.113.200:9000/relay;tcp msrp://192.0.2.7:2855/peer;tcp"
        func outcome(_ answer: [UInt8], usesRelay: Bool = false) throws -> ChosenMedia.Target?? {
            var machine = negotiation(LocalMedia(usesRelay: usesRelay, offersCEMA: true))
            _ = machine.makeOffer(localPath: ourPath)
            do { return .some(try machine.acceptAnswer(answer).media.target) } catch AnswerError.needsOfferWithoutCEMA {
                return .none
            }
        }
        let middlebox = "IN IP4 203.0.113.5"
        #expect(try outcome(answer(connection: middlebox, "a=setup:active")) == .none)
        #expect(try outcome(answer(connection: middlebox, "a=setup:passive"), usesRelay: true) == .none)
        #expect(try outcome(answer(connection: middlebox, path: relayed, "a=setup:passive")) == .none)
        // The lines agree with a relay's address: no middlebox, the path it is.
        let target = try outcome(
            answer(port: 9000, connection: "IN IP4 203.0.113.200", path: relayed, "a=setup:passive"))
        #expect(target == .some(.init(host: "203.0.113.200", port: 9000)))
        // None of them: the active offerer uses the lines.
        #expect(try outcome(answer(connection: middlebox)) == .some(.init(host: "203.0.113.5", port: 2855)))
        #expect(try outcome(answer("a=setup:active")) == .some(nil))
        // The next offer goes without.
        var machine = negotiation(LocalMedia(offersCEMA: true))
        #expect(!text(machine.makeOffer(localPath: ourPath, cema: false)).contains("cema"))
    }

    @Test("two of these machines agree on one session, whichever offers")
    func bothEnds() throws {
        var client = MSRPNegotiation(
            local: LocalMedia(acceptTypes: ["message/cpim", "text/plain"], offeredSetup: .active), originID: 1)
        var focus = MSRPNegotiation(local: focus, originID: 2)
        let clientPath = MSRPNegotiation.localPath(host: "::1", port: 4000, isTLS: false, sessionID: "client")
        let atFocus = try focus.examine(offer: client.makeOffer(localPath: clientPath)).media
        let atClient = try client.acceptAnswer(focus.answer(localPath: ourPath)).media
        #expect(atFocus.role == .passive && atClient.role == .active && atFocus.remotePath == clientPath)
        #expect(atClient.remotePath == ourPath && atClient.maxSize == 1_000 && atClient.format == .cpim)

        let held = try client.examine(offer: focus.makeOffer(localPath: ourPath, direction: .inactive))
        #expect(held.change == .updated && held.media.direction == .inactive && held.media.role == .active)
        let answer = try focus.acceptAnswer(client.answer())
        #expect(answer.change == .updated && answer.media.role == .passive)
    }
}
