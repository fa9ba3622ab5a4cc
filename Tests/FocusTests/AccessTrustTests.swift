import Testing

@testable import Focus
@testable import SIP

@Suite("Trusted peers' word, and privacy", .timeLimit(.minutes(1)))
struct AccessTrustTests {
    private static let peer = Endpoint(transport: .tcp, host: "203.0.113.8", port: 5060)

    private func bench(_ mode: AccessConfiguration.Mode = .required) throws -> AccessBench {
        let peers = try TrustedPeers(["203.0.113.0/28", "proxy.example.org"])
        return AccessBench(mode) { $0.access.trusted = peers }
    }

    private func invite(_ headers: [String: String] = [:], from source: Endpoint = peer) -> Request {
        .invite(headers: headers, source: source)
    }

    @Test("P-Asserted-Identity of a trusted peer counts, and nobody is challenged (RFC 3325 section 5)")
    func asserted() async throws {
        let door = try bench()
        let request = invite(["P-Asserted-Identity": "\"Carol C\" <sip:carol@Example.org>, <tel:+1-408-5551212>"])
        let caller = try await door.admitted(request)
        #expect(
            caller
                == Caller(
                    uri: "sip:carol@example.org", aliases: ["tel:+14085551212"], displayName: "Carol C",
                    account: "carol@example.org", proof: .trustedPeer, source: "tcp:203.0.113.8:5060"))
        let phone = try await door.admitted(invite(["P-Asserted-Identity": "tel:+14085551212"]))
        #expect(phone.uri == "tel:+14085551212" && phone.account == "tel:+14085551212")
        let plain = try await door.admitted(invite())
        #expect(plain.uri == "sip:alice@example.org" && plain.account == "alice@example.org")
        #expect(await door.counters.trusted == 3)
    }

    @Test("P-Asserted-Identity of anybody else is ignored, P-Preferred-Identity of everybody (RFC 3325 section 5)")
    func forged() async throws {
        let door = try bench()
        for source in [Request.client, Endpoint(transport: .tcp, host: "203.0.113.16", port: 5060)] {
            let answer = try await door.refused(invite(["P-Asserted-Identity": "<sip:bob@example.com>"], from: source))
            #expect(answer.status == 401)
        }
        let user = TestUser.alice
        let authorization = try user.authorization(try await door.challenge(user.request()))
        let headers = ["P-Asserted-Identity": "<sip:bob@example.com>", "P-Preferred-Identity": "<sip:bob@example.com>"]
        let caller = try await door.admitted(user.request(authorization: authorization, headers: headers))
        #expect(caller.account == "alice@example.com" && caller.uri == "sip:alice@example.com")
        let preferred = try await door.admitted(invite(["P-Preferred-Identity": "<sip:bob@example.com>"]))
        #expect(preferred.account == "alice@example.org")
    }

    @Test("a verified certificate's name is trusted, an address's certificate alone is not")
    func certificate() async throws {
        let door = try bench()
        let plain = Request.invite()
        for (names, isTrusted) in [(["x.example.org", "Proxy.Example.org"], true), (["x.example.org"], false)] {
            let request = Request(
                method: "INVITE", requestURI: plain.requestURI, headers: plain.headers, body: plain.body,
                source: plain.source, local: plain.local, peerNames: names)
            if isTrusted {
                #expect(try await door.admitted(request).proof == .trustedPeer)
            } else {
                #expect(try await door.refused(request).status == 401)
            }
        }
    }

    @Test("trusted-only: nobody is challenged, and nobody else gets in")
    func trustedOnly() async throws {
        let door = try bench(.trustedOnly)
        let answer = try await door.refused(.invite())
        #expect(answer.status == 403 && answer.header("WWW-Authenticate") == nil)
        #expect(try await door.admitted(invite()).proof == .trustedPeer)
    }

    @Test("none: From is believed, a trusted peer's word still counts more")
    func believed() async throws {
        let door = try bench(.none)
        let caller = try await door.admitted(.invite(headers: ["P-Asserted-Identity": "<sip:bob@example.com>"]))
        #expect(caller.account == "alice@example.org" && caller.proof == .believed)
        #expect(try await door.admitted(invite(["P-Asserted-Identity": "<sip:b@x.org>"])).account == "b@x.org")
    }

    // MARK: Privacy

    @Test("Privacy: id hides the asserted identity from others, not from policy (RFC 3325 section 9.3)")
    func privacyOfAsserted() async throws {
        let door = try bench()
        let headers = [
            "P-Asserted-Identity": "\"Carol\" <sip:carol@example.org>", "Privacy": "id",
            "From": "\"Anonymous\" <sip:anonymous@anonymous.invalid>;tag=1",
        ]
        let first = try await door.admitted(invite(headers))
        let second = try await door.admitted(invite(headers))
        #expect(first.isAnonymous && first.account == "carol@example.org")
        #expect(first.uri == "sip:anonymous-1@anonymous.invalid" && first.displayName == nil)
        #expect(first.aliases == ["sip:carol@example.org", "sip:anonymous@anonymous.invalid"])
        #expect(second.uri == "sip:anonymous-2@anonymous.invalid")
    }

    @Test("who proved an account may hide it, with Privacy or an anonymous From (RFC 3323 section 4)")
    func privacyOfProven() async throws {
        let door = try bench()
        for (from, privacy) in [
            ("\"Alice\" <sip:alice@example.com>", "id"), ("<sip:anonymous@anonymous.invalid>", ""),
            ("<sip:anonymous@anonymous.invalid>", "user"),
        ] {
            var user = TestUser.alice
            user.from = "\(from);tag=1"
            let authorization = try user.authorization(try await door.challenge(user.request()))
            let headers = privacy.isEmpty ? [:] : ["Privacy": privacy]
            let caller = try await door.admitted(user.request(authorization: authorization, headers: headers))
            #expect(caller.account == "alice@example.com" && caller.isAnonymous && caller.proof == .digest)
            #expect(caller.uri.hasPrefix("sip:anonymous-") && caller.uri.hasSuffix("@anonymous.invalid"))
            #expect(caller.displayName == nil)
        }
    }

    @Test("those whom nobody knows are different people, whatever name they choose")
    func unknownPeople() async throws {
        let door = try bench(.none)
        let from = ["From": "<sip:anonymous@anonymous.invalid>;tag=1"]
        let first = try await door.admitted(.invite(headers: from))
        let second = try await door.admitted(.invite(headers: from))
        #expect(first.account == "anonymous-1@anonymous.invalid")
        #expect(second.account == "anonymous-2@anonymous.invalid")
        let forged = try await door.admitted(.invite(headers: ["From": "<sip:anonymous-1@anonymous.invalid>;tag=1"]))
        #expect(forged.account == "anonymous-1-3@anonymous.invalid")
        #expect(forged.account != first.account && forged.uri != first.uri)
    }

    // MARK: Within dialogs

    @Test(
        "within a dialog its own endpoint is not asked again; others are judged as if outside (RFC 3261 section 12.2)")
    func withinDialog() async throws {
        let door = try bench()
        let alice = Caller(
            uri: "sip:alice@example.com", account: "alice@example.com", proof: .digest,
            source: "tcp:198.51.100.7:40000")
        let again = Endpoint(transport: .tcp, host: "198.51.100.7", port: 40_000)
        #expect(try await door.admitted(.invite(source: again), within: alice) == alice)

        let elsewhere = Endpoint(transport: .udp, host: "192.0.2.77", port: 5060)
        let user = TestUser.alice
        let target = "sip:lobby@192.0.2.1:5060"
        // Others may share the address.
        for other in [
            Endpoint(transport: .tcp, host: "198.51.100.7", port: 40_001),
            Endpoint(transport: .udp, host: "198.51.100.7", port: 40_000),
        ] {
            #expect(try await door.refused(user.request("REFER", target, source: other), within: alice).status == 401)
        }
        let challenge = try await door.refused(user.request("REFER", target, source: elsewhere), within: alice)
        #expect(challenge.status == 401)
        let right = try user.authorization(challenge, method: "REFER", uri: target)
        let moved = try await door.admitted(
            user.request("REFER", target, authorization: right, source: elsewhere), within: alice)
        #expect(moved.account == alice.account && moved.uri == alice.uri && moved.source == "udp:192.0.2.77:5060")
        #expect(moved.isAt(elsewhere) && !moved.isAt(again))

        // Bob knows the tags, and his own password.
        let bob = try TestUser.bob.authorization(challenge, method: "REFER", uri: target, count: 3)
        let answer = try await door.refused(
            TestUser.bob.request("REFER", target, authorization: bob, source: elsewhere), within: alice)
        #expect(answer.status == 403)
        // And with Alice's name in From, too.
        let asAlice = try TestUser.bob.authorization(challenge, method: "REFER", uri: target, count: 2)
        let forged = user.request("REFER", target, authorization: asAlice, source: elsewhere)
        #expect(try await door.refused(forged, within: alice).status == 403)
    }

    @Test("a trusted peer may carry its own people's dialogs only")
    func withinDialogOfPeer() async throws {
        let door = try bench()
        let carol = Caller(
            uri: "sip:carol@example.org", account: "carol@example.org", proof: .trustedPeer, source: "203.0.113.9")
        let same = invite(["P-Asserted-Identity": "<sip:carol@example.org>"])
        #expect(try await door.admitted(same, within: carol).source == "tcp:203.0.113.8:5060")
        let other = invite(["P-Asserted-Identity": "<sip:dave@example.org>"])
        #expect(try await door.refused(other, within: carol).status == 403)
    }

    @Test("trusted-only: who has the tags of a dialog and comes from elsewhere is nobody")
    func withinDialogTrustedOnly() async throws {
        let door = try bench(.trustedOnly)
        let carol = Caller(
            uri: "sip:carol@example.org", account: "carol@example.org", proof: .trustedPeer, source: "203.0.113.9")
        #expect(try await door.refused(.invite(), within: carol).status == 403)
    }
}
