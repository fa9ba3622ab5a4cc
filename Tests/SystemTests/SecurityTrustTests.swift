import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("Security: peers that vouch for others (RFC 3325)")
    struct SecurityTrustTests {
        private let room = Guarded.room

        private func asserted(_ uri: String) -> String { "P-Asserted-Identity: <\(uri)>\r\n" }

        /// What the roster says of who just came in.
        private func entities(_ alice: Participant) throws -> [String] {
            let sees = try alice.watch()
            defer { _ = try? sees.subscribe(expires: 0) }
            return sees.view.connected.filter { $0 != "sip:alice@example.com" }
        }

        @Test(
            "by address: no challenge, and P-Asserted-Identity is who calls; from elsewhere it is nothing",
            arguments: SIPTransportName.allCases)
        func byAddress(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Guarded.options(["SIP": ["trusted": "127.0.0.3, 127.1.0.0/16"]]))
            let alice = try Guarded.alice(of: confd)
            for source in ["127.0.0.3", "127.1.2.3"] {
                let proxy = try Guarded.client("whoever", nil, of: confd, transport, from: source)
                let call = try proxy.invite(room, offer: Offer().text, extra: asserted("sip:carol@example.net"))
                #expect(call.status == 200)
                try call.ack()
                #expect(try entities(alice) == ["sip:carol@example.net"])
                try call.bye()
            }
            let other = try Guarded.client("whoever", nil, of: confd, transport, from: "127.0.0.4")
            #expect(try other.invite(room, offer: Offer().text, extra: asserted("sip:carol@example.net")).status == 401)
        }

        @Test("a telephone number may be asserted (RFC 3325 section 9.1)")
        func telephone() throws {
            let confd = try ConfdProcess(Guarded.options(["SIP": ["trusted": "127.0.0.3"]]))
            let alice = try Guarded.alice(of: confd)
            let proxy = try Guarded.client("whoever", nil, of: confd, from: "127.0.0.3")
            let call = try proxy.invite(room, offer: Offer().text, extra: asserted("tel:+14085264000"))
            #expect(call.status == 200)
            try call.ack()
            #expect(try entities(alice).contains { $0.contains("+14085264000") })
            // Both kinds: the SIP URI is the identity.
            let second = try Guarded.client("whoever", nil, of: confd, from: "127.0.0.3")
            let both = try second.invite(
                room, offer: Offer().text,
                extra: "P-Asserted-Identity: \"Dora\" <sip:dora@example.net>, <tel:+15551234>\r\n")
            #expect(both.status == 200)
            try both.ack()
            #expect(try entities(alice).contains("sip:dora@example.net"))
        }

        @Test("Privacy: id from a trusted peer hides what it asserts (RFC 3325 section 7)")
        func privacy() throws {
            let confd = try ConfdProcess(Guarded.options(["SIP": ["trusted": "127.0.0.3"]]))
            let alice = try Guarded.alice(of: confd)
            let proxy = try Guarded.client("anonymous", nil, of: confd, from: "127.0.0.3")
            let call = try proxy.invite(
                room, offer: Offer().text, extra: asserted("sip:carol@example.net") + "Privacy: id\r\n")
            #expect(call.status == 200)
            try call.ack()
            let shown = try entities(alice)
            #expect(shown.count == 1)
            #expect(shown.allSatisfy { $0.contains("anonymous.invalid") })
            #expect(!confd.log.contains("carol@example.net"))
        }

        @Test("auth = trusted-only: trusted peers, and nobody else")
        func trustedOnly() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "SIP": ["auth": "trusted-only", "trusted": "127.0.0.3", "domains": "example.com"]
                ]))
            let proxy = try Guarded.client("carol", nil, of: confd, from: "127.0.0.3")
            let call = try proxy.invite(room, offer: Offer().text)
            #expect(call.status == 200)
            try call.ack()
            let stranger = try Guarded.client("mallory", nil, of: confd)
            #expect(try stranger.invite(room, offer: Offer().text).status == 403)
            #expect(try stranger.ask("SUBSCRIBE", room, extra: "Event: conference\r\n").status == 403)
            #expect(try RawReferral(stranger, room: room, referTo: "<sip:carol@example.com;method=BYE>").status == 403)
            #expect(try stranger.ask("PUBLISH", room, extra: PublishTests.fields).status == 403)
        }

        @Test("by certificate, on the listener for such peers: the name counts, and who has none does not get in")
        func byCertificate() throws {
            let authority = try TestAuthority()
            let folder = try TemporaryFolder()
            let trust = try folder.write(authority.pem, to: "trust.pem")
            let confd = try ConfdProcess(
                Guarded.options([
                    "SIP": [
                        "listen":
                            "udp:127.0.0.1:0, tcp:127.0.0.1:0, tls:127.0.0.1:0, tls-trusted:127.0.0.1:0",
                        "trust": trust, "trusted_names": "proxy.example.com",
                    ]
                ]))
            let alice = try Guarded.alice(of: confd)
            let address = try #require(confd.trustedTLS, "\(confd.readyLine)")
            func peer(_ authority: TestAuthority?, _ name: String) throws -> RawSIPClient {
                let issued = try authority?.issue([name])
                return try RawSIPClient(
                    .tls, to: address, user: "whoever", domain: "example.com",
                    identity: issued.map { (Array($0.certificate.utf8), Array($0.key.utf8)) })
            }
            let proxy = try peer(authority, "proxy.example.com")
            let call = try proxy.invite(room, offer: Offer().text, extra: asserted("sip:carol@example.net"))
            #expect(call.status == 200)
            try call.ack()
            #expect(try entities(alice) == ["sip:carol@example.net"])
            try call.bye()

            /// What an INVITE gets: a status, or nil when the connection does not come about or is closed.
            func attempt(_ authority: TestAuthority?, _ name: String) -> Int? {
                guard let client = try? peer(authority, name) else { return nil }
                return try? client.invite(room, offer: Offer().text, extra: asserted("sip:carol@example.net")).status
            }
            // No certificate, one of somebody unknown, one of somebody else.
            #expect([nil, 401, 403].contains(attempt(nil, "")))
            #expect([nil, 401, 403].contains(attempt(try TestAuthority("others"), "proxy.example.com")))
            #expect([nil, 401, 403].contains(attempt(authority, "elsewhere.example.com")))
            #expect(try entities(alice) == [])
            // The ordinary TLS listener asks nobody for a certificate, and believes none.
            let issued = try authority.issue(["proxy.example.com"])
            let plain = try RawSIPClient(
                .tls, to: confd.tls, user: "whoever", domain: "example.com",
                identity: (Array(issued.certificate.utf8), Array(issued.key.utf8)))
            #expect(try plain.invite(room, offer: Offer().text, extra: asserted("sip:carol@example.net")).status == 401)
        }

        @Test("without configuration: none on loopback; required elsewhere, and none elsewhere is warned of")
        func defaults() throws {
            let open = try ConfdProcess()
            #expect(
                try RawSIPClient(.udp, to: open, user: "a").invite("sip:r@127.0.0.1", offer: Offer().text).status == 200
            )
            let wide: [String: String] = [
                "listen": "udp:0.0.0.0:0, tcp:127.0.0.1:0, tls:127.0.0.1:0", "domains": "example.com",
            ]
            let guarded = try ConfdProcess(["SIP": wide])
            let stranger = try RawSIPClient(
                .tcp, to: guarded.tcp, user: "a", domain: "example.com")
            #expect(try stranger.invite("sip:r@example.com", offer: Offer().text).status == 401)
            let careless = try ConfdProcess(["SIP": wide.merging(["auth": "none"]) { $1 }])
            #expect(careless.log.contains("auth"))
            #expect(careless.log.lowercased().contains("warning"))
        }

        @Test("a source that asks too much gets 503 with Retry-After, and the others' calls are undisturbed")
        func throttled() throws {
            let confd = try ConfdProcess(
                Workflow.options([
                    "SIP": ["throttle_all": "Yes", "request_rate": "20", "request_burst": "40"]
                ]))
            var call = try UndisturbedCall(confd)
            let flood = try RawSIPClient(.udp, to: confd, user: "flood", from: "127.0.0.9")
            let uri = "sip:flood@127.0.0.1"
            var statuses = [Int: Int]()
            var retryAfter = 0
            for round in 0..<20 {
                for _ in 0..<25 {
                    try flood.send(
                        flood.requestText(
                            "SUBSCRIBE", uri, to: "<\(uri)>", fromTag: flood.newTag(), callID: flood.newCallID(),
                            sequence: 1, extra: "Contact: \(flood.contact)\r\nEvent: nothing\r\n"))
                }
                while let response = try flood.nextIfAny(within: 0.02, where: { $0.isResponse }) {
                    statuses[response.status, default: 0] += 1
                    if response.status == 503, response["Retry-After"] != nil { retryAfter += 1 }
                }
                if round % 5 == 0 { try call.talk() }
            }
            let refused = statuses[503, default: 0]
            #expect(refused > 100, "\(statuses)")
            #expect(retryAfter == refused)
            #expect(statuses[489, default: 0] >= 20, "\(statuses)")
            // Somebody at another address is served at once.
            let other = try RawSIPClient(.udp, to: confd, user: "other", from: "127.0.0.10")
            #expect(try other.ask("OPTIONS", "sip:undisturbed@127.0.0.1").status == 200)
            try call.talk()
            try call.end()
        }

        @Test("wrong passwords are counted for themselves: guessing ends in 503 (failures_per_minute)")
        func guessing() throws {
            let confd = try ConfdProcess(
                Guarded.options(["SIP": ["throttle_all": "Yes", "failures_per_minute": "5"]]))
            let guesser = try Guarded.client("alice", nil, of: confd, from: "127.0.0.9")
            var statuses = [Int]()
            for guess in 0..<30 {
                guesser.credentials = SIPCredentials(username: "alice", password: "guess\(guess)")
                statuses.append(try guesser.ask("SUBSCRIBE", room, extra: "Event: conference\r\n").status)
                if statuses.last == 503 { break }
            }
            #expect(statuses.last == 503, "\(statuses)")
            #expect(statuses.count <= 15)
            // The right password does not help from there for a while; elsewhere it does.
            let alice = try Guarded.client("alice", "wonderland", of: confd, from: "127.0.0.10")
            #expect(try alice.invite(room, offer: Offer().text).status == 200)
        }
    }
}
