import Support
import Testing

extension SystemTests {
    @Suite("Calls of the conference's own")
    struct OutboundTests {
        @Test(
            "[Outbound] proxy gets them, and its challenge is answered (RFC 3261 section 22.3)",
            arguments: ["MD5", "SHA-256"], [401, 407])
        func challenged(_ algorithm: String, _ status: Int) throws {
            // The proxy is a socket that speaks with confd alone, so it must know confd's port first.
            let port = try Bystander().address.port
            let confd = try ConfdProcess(
                Workflow.dialling("invite").merging([
                    "Outbound": [
                        "proxy": "sip:127.0.0.1:\(port)", "user": "conference@example.com", "password": "secret",
                    ]
                ]) { $1 })
            let alice = try Participant("alice", in: "sip:outbound@127.0.0.1", of: confd)
            let proxy = try RawSIPClient(.udp, to: confd, user: "proxy", port: port)
            let referral = try alice.refer("<sip:bob@somewhere.invalid>")
            #expect(referral.status == 202)
            let first = try proxy.incomingCall()
            #expect(first.invite.requestURI.hasPrefix("sip:bob@somewhere.invalid"))
            let challenge =
                "Digest realm=\"example.com\", nonce=\"abcdef\", qop=\"auth\", algorithm=\(algorithm)"
            try first.decline(
                status == 401 ? "401 Unauthorized" : "407 Proxy Authentication Required",
                extra: "\(status == 401 ? "WWW" : "Proxy")-Authenticate: \(challenge)\r\n")
            let second = try proxy.incomingCall()
            let header = try #require(second.invite[status == 401 ? "Authorization" : "Proxy-Authorization"])
            let given = DigestAnswer.parameters(header)
            var expected = DigestAnswer(
                username: "conference", password: "secret", uri: second.invite.requestURI,
                challenge: DigestAnswer.parameters(challenge))
            expected.dialect = .kamailio
            expected.method = "INVITE"
            expected.clientNonce = given["cnonce"] ?? ""
            #expect(given["username"] == "conference" || given["username"] == "conference@example.com")
            expected.username = given["username"] ?? ""
            expected.uri = given["uri"] ?? ""
            #expect(given["response"] == expected.response)
            #expect(given["algorithm"]?.uppercased() == algorithm)
            _ = try Participant(answering: second)
            #expect(try referral.outcome() == 200)
        }

        @Test("a password that is refused twice is not tried for ever")
        func refused() throws {
            let port = try Bystander().address.port
            let confd = try ConfdProcess(
                Workflow.dialling("invite").merging([
                    "Outbound": [
                        "proxy": "sip:127.0.0.1:\(port)", "user": "conference@example.com", "password": "wrong",
                    ]
                ]) { $1 })
            let alice = try Participant("alice", in: "sip:outbound@127.0.0.1", of: confd)
            let proxy = try RawSIPClient(.udp, to: confd, user: "proxy", port: port)
            let referral = try alice.refer("<sip:bob@somewhere.invalid>")
            let challenge = "WWW-Authenticate: Digest realm=\"example.com\", nonce=\"n\", qop=\"auth\"\r\n"
            try proxy.incomingCall().decline("401 Unauthorized", extra: challenge)
            try proxy.incomingCall().decline("401 Unauthorized", extra: challenge)
            #expect(try [401, 403].contains(referral.outcome()))
            #expect(try proxy.nextIfAny(within: 0.5) { $0.method == "INVITE" && !$0.isResponse } == nil)
        }

        @Test("one address is not called more often than dial_outs_per_minute says")
        func rate() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite", ["dial_outs_per_minute": "1"]))
            let alice = try Participant("alice", in: "sip:rate@127.0.0.1", of: confd)
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            var outcomes = [Int]()
            for _ in 0..<8 {
                let referral = try alice.refer("<\(bob.uri)>")
                if referral.status != 202 {
                    outcomes.append(referral.status)
                    continue
                }
                if let invite = try bob.nextIfAny(within: 1, where: { $0.method == "INVITE" && !$0.isResponse }) {
                    try RawIncomingCall(client: bob, invite: invite).decline("486 Busy Here")
                }
                outcomes.append(try referral.outcome())
            }
            #expect(outcomes.filter { $0 == 486 }.count <= 6, "\(outcomes)")
            #expect(outcomes.contains { $0 != 486 }, "\(outcomes)")
        }

        @Test(
            "a call that rings is called off when its room ends, and when who asked for it is gone with the room (CANCEL)"
        )
        func cancelled() throws {
            let confd = try ConfdProcess(Workflow.dialling("invite"))
            let alice = try Participant("alice", in: "sip:cancelled@127.0.0.1", of: confd)
            let bob = try RawSIPClient(.udp, to: confd, user: "bob")
            _ = try alice.refer("<\(bob.uri)>")
            let call = try bob.incomingCall()
            try call.ring()
            try alice.leave()
            let cancel = try call.request("CANCEL")
            try bob.respond(to: cancel)
            try call.decline("487 Request Terminated")
        }
    }
}
