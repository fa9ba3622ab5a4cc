import Support
import Testing

/// A server where callers prove who they are.
enum Guarded {
    static let room = "sip:board@example.com"

    static func options(_ more: ConfdProcess.Options = [:]) -> ConfdProcess.Options {
        let base: ConfdProcess.Options = [
            "SIP": ["auth": "required", "domains": "example.com"],
            "Memory": [
                "alice@example.com": "wonderland", "bob@example.com": "builder", "mallory@example.com": "malice",
            ],
            "Conference": ["notify_interval": "100 ms"],
        ]
        return base.merging(more) { $0.merging($1) { $1 } }
    }

    static func client(
        _ user: String, _ password: String?, of confd: ConfdProcess, _ transport: SIPTransportName = .udp,
        from local: String? = nil
    ) throws -> RawSIPClient {
        try RawSIPClient(
            transport, to: confd, user: user, domain: "example.com", password: password, from: local)
    }

    static func alice(of confd: ConfdProcess, over transport: SIPTransportName = .udp) throws -> Participant {
        try Participant(
            "alice", in: room, of: confd, over: transport, domain: "example.com", password: "wonderland")
    }
}

extension SystemTests {
    @Suite("Security: nobody gets in who should not (RFC 3261 section 22)")
    struct SecurityAccessTests {
        private let room = Guarded.room

        /// Alice is inside, undisturbed by what was tried; nobody else is.
        private func expectAlone(_ alice: Participant, sourceLocation: SourceLocation = #_sourceLocation) throws {
            let sees = try alice.watch(sourceLocation: sourceLocation)
            #expect(sees.view.users.keys.sorted() == ["sip:alice@example.com"], sourceLocation: sourceLocation)
            #expect(try sees.subscribe(expires: 0).status == 200, sourceLocation: sourceLocation)
            try sees.untilTerminated()
            #expect(try alice.say("anybody?") == 200, sourceLocation: sourceLocation)
        }

        @Test(
            "who knows the password gets in, on every transport, with every algorithm offered",
            arguments: SIPTransportName.allCases)
        func knownCaller(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Guarded.options())
            let stranger = try Guarded.client("alice", nil, of: confd, transport)
            let challenge = try stranger.invite(room, offer: Offer().text).response
            #expect(challenge.status == 401)
            let offered = SIPCredentials.challenges(of: challenge)
            #expect(Set(offered.compactMap { $0["realm"] }) == ["example.com"])
            #expect(offered.allSatisfy { $0["qop"]?.contains("auth") == true && $0["nonce"] != nil })
            // Passwords in clear text can do both; the stronger stands first (RFC 8760 section 2.3).
            #expect(offered.map { $0["algorithm"]?.uppercased() ?? "MD5" } == ["SHA-256", "MD5"])
            for algorithm in offered.compactMap({ $0["algorithm"] }) {
                let alice = try Guarded.client("alice", nil, of: confd, transport)
                alice.credentials = SIPCredentials(username: "alice", password: "wonderland", algorithm: algorithm)
                let call = try alice.invite(room, offer: Offer().text)
                #expect(call.status == 200, "\(algorithm): \(call.response)")
                try call.ack()
                #expect(try RawReferral(alice, room: room, referTo: nil).status == 400)
                #expect(try alice.watch(room).view.users["sip:alice@example.com"] != nil)
                try call.bye()
            }
        }

        @Test("a stranger's INVITE, and one with a wrong password, are refused")
        func strangersInvite() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let stranger = try Guarded.client("bob", nil, of: confd)
            #expect(try stranger.invite(room, offer: Offer().text).status == 401)
            let guesser = try Guarded.client("bob", "guess", of: confd)
            #expect(try [401, 403].contains(guesser.invite(room, offer: Offer().text).status))
            let nobody = try Guarded.client("nobody", "guess", of: confd)
            #expect(try [401, 403].contains(nobody.invite(room, offer: Offer().text).status))
            // Nor by the factory, nor by making a room.
            #expect(try stranger.invite("sip:conference@example.com", offer: Offer().text).status == 401)
            #expect(try stranger.invite("sip:new@example.com", offer: Offer().text).status == 401)
            try expectAlone(alice)
        }

        @Test("a stranger's SUBSCRIBE is refused, and no NOTIFY goes out")
        func strangersSubscribe() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let stranger = try Guarded.client("bob", nil, of: confd)
            let bystander = try Bystander()
            for expires in [3600, 0] {
                let response = try stranger.ask(
                    "SUBSCRIBE", room, extra: "Event: conference\r\nExpires: \(expires)\r\n")
                #expect(response.status == 401)
            }
            let forged = stranger.requestText(
                "SUBSCRIBE", room, to: "<\(room)>", fromTag: "f", callID: stranger.newCallID(), sequence: 1,
                extra: "Contact: <\(bystander.uri())>\r\nEvent: conference\r\nExpires: 3600\r\n")
            try stranger.send(forged)
            #expect(try stranger.next { $0.isResponse }.status == 401)
            #expect(try bystander.hears(within: 0.7) == nil)
            #expect(try stranger.nextIfAny(within: 0.1) { $0.method == "NOTIFY" } == nil)
            // An account of its own does not help who is blocked from a room for participants.
            try expectAlone(alice)
        }

        @Test("a stranger's REFER is refused; nobody is called, nobody removed")
        func strangersRefer() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let bystander = try Bystander()
            let stranger = try Guarded.client("alice", nil, of: confd)
            #expect(try RawReferral(stranger, room: room, referTo: "<\(bystander.uri())>").status == 401)
            #expect(try RawReferral(stranger, room: room, referTo: "<sip:alice@example.com;method=BYE>").status == 401)
            // Known, but not in the room.
            let bob = try Guarded.client("bob", "builder", of: confd)
            #expect(try RawReferral(bob, room: room, referTo: "<\(bystander.uri())>").status == 403)
            #expect(try RawReferral(bob, room: room, referTo: "<sip:alice@example.com;method=BYE>").status == 403)
            #expect(try bystander.hears(within: 0.7) == nil)
            #expect(try alice.sip.nextIfAny(within: 0.1) { $0.method == "BYE" } == nil)
            try expectAlone(alice)
        }

        @Test("a stranger's PUBLISH is refused; the title stays")
        func strangersPublish() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let body = PublishTests.document(room, "<subject>pwned</subject>")
            let stranger = try Guarded.client("alice", nil, of: confd)
            #expect(try stranger.ask("PUBLISH", room, extra: PublishTests.fields, body: body).status == 401)
            let bob = try Guarded.client("bob", "builder", of: confd)
            #expect(try bob.ask("PUBLISH", room, extra: PublishTests.fields, body: body).status == 403)
            #expect(try alice.watch().view.description?.value("subject") == nil)
        }

        @Test(
            "a forged From: the proven name must be that of From, else 403",
            arguments: ["INVITE", "SUBSCRIBE", "REFER", "PUBLISH"])
        func forgedFrom(_ method: String) throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            // From is Alice's, the password is Mallory's own.
            let mallory = try Guarded.client("alice", nil, of: confd)
            mallory.credentials = SIPCredentials(username: "mallory", password: "malice")
            let response: SIPMessage
            switch method {
            case "INVITE": response = try mallory.invite(room, offer: Offer().text).response
            case "SUBSCRIBE": response = try mallory.ask("SUBSCRIBE", room, extra: "Event: conference\r\n")
            case "REFER":
                response = try RawReferral(mallory, room: room, referTo: "<sip:alice@example.com;method=BYE>").response
            default:
                response = try mallory.ask(
                    "PUBLISH", room, extra: PublishTests.fields,
                    body: PublishTests.document(room, "<subject>x</subject>"))
            }
            #expect(response.status == 403)
            try expectAlone(alice)
        }

        @Test("a forged P-Asserted-Identity counts for nothing (RFC 3325 section 5)")
        func forgedIdentity() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let asserted = "P-Asserted-Identity: <sip:alice@example.com>\r\n"
            let stranger = try Guarded.client("mallory", nil, of: confd)
            #expect(try stranger.invite(room, offer: Offer().text, extra: asserted).status == 401)
            #expect(
                try RawReferral(stranger, room: room, referTo: "<sip:alice@example.com;method=BYE>", extra: asserted)
                    .status == 401)
            let other = try Guarded.client("alice", nil, of: confd)
            #expect(try other.invite(room, offer: Offer().text, extra: asserted).status == 401)
            // Who is known stays who he is.
            let mallory = try Guarded.client("mallory", "malice", of: confd)
            let call = try mallory.invite(room, offer: Offer().text, extra: asserted)
            #expect(call.status == 200)
            try call.ack()
            let sees = try alice.watch()
            #expect(sees.view.users.keys.sorted() == ["sip:alice@example.com", "sip:mallory@example.com"])
            #expect(
                try RawReferral(mallory, room: room, referTo: "<sip:alice@example.com;method=BYE>", extra: asserted)
                    .status == 403)
        }

        @Test("a replayed Authorization is challenged again (RFC 7616 section 3.4, nc)")
        func replay() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.client("alice", nil, of: confd)
            let challenge = try alice.ask("SUBSCRIBE", room, extra: "Event: conference\r\n")
            #expect(challenge.status == 401)
            // Seen on its way, and used by somebody else.
            let call = try Guarded.client("alice", nil, of: confd)
            let refused = try call.invite(room, offer: Offer().text)
            let header = try #require(
                try SIPCredentials(username: "alice", password: "wonderland")
                    .answer(to: refused.response, "INVITE", room))
            let first = try call.invite(room, offer: Offer().text, extra: header)
            #expect(first.status == 200)
            try first.ack()
            for transport in SIPTransportName.allCases {
                let thief = try Guarded.client("alice", nil, of: confd, transport)
                let again = try thief.invite(room, offer: Offer().text, extra: header)
                #expect(again.status == 401)
                // For another method, and another room.
                #expect(
                    try RawReferral(thief, room: room, referTo: "<sip:alice@example.com;method=BYE>", extra: header)
                        .status == 401)
                #expect(try thief.invite("sip:other@example.com", offer: Offer().text, extra: header).status / 100 == 4)
            }
            #expect(try call.nextIfAny(within: 0.3) { $0.method == "BYE" } == nil)
        }

        @Test("an answer for another method or URI, with made-up nonces, or none of the parts, does not count")
        func wrongAnswers() throws {
            let confd = try ConfdProcess(Guarded.options())
            _ = try Guarded.alice(of: confd)
            let sip = try Guarded.client("alice", nil, of: confd)
            let credentials = SIPCredentials(username: "alice", password: "wonderland")
            func challenge() throws -> [String: String] {
                let response = try sip.ask("SUBSCRIBE", room, extra: "Event: conference\r\n")
                return try #require(SIPCredentials.challenges(of: response).first)
            }
            func status(_ header: String) throws -> Int {
                try sip.ask(
                    "SUBSCRIBE", room, extra: "Event: conference\r\nExpires: 0\r\nAuthorization: \(header)\r\n"
                ).status
            }
            let right = credentials.answer(challenge: try challenge(), "SUBSCRIBE", room).header
            #expect(try status(right) == 200)
            #expect(try status(credentials.answer(challenge: try challenge(), "INVITE", room).header) == 401)
            let otherURI = credentials.answer(challenge: try challenge(), "SUBSCRIBE", "sip:other@example.com").header
            #expect(try [400, 401, 403].contains(status(otherURI)))
            var madeUp = try challenge()
            madeUp["nonce"] = "0123456789abcdef0123456789abcdef"
            #expect(try status(credentials.answer(challenge: madeUp, "SUBSCRIBE", room).header) == 401)
            var otherRealm = try challenge()
            otherRealm["realm"] = "elsewhere.example"
            #expect(
                try [401, 403].contains(status(credentials.answer(challenge: otherRealm, "SUBSCRIBE", room).header)))
            for header in ["Digest", "Digest username=\"alice\"", "Basic YWxpY2U6d29uZGVybGFuZA==", "Digest ,,,=,", ""]
            {
                #expect(try [400, 401].contains(status(header)), "\(header)")
            }
        }

        @Test("an expired nonce is stale, and the same password gets in with the new one (nonce_lifetime)")
        func stale() throws {
            let confd = try ConfdProcess(Guarded.options(["SIP": ["nonce_lifetime": "1 s"]]))
            let sip = try Guarded.client("alice", nil, of: confd)
            let credentials = SIPCredentials(username: "alice", password: "wonderland")
            let first = try sip.ask("PUBLISH", room, extra: PublishTests.fields)
            let header = try #require(try credentials.answer(to: first, "PUBLISH", room))
            // The nonce's age is what is tested.
            _ = try sip.nextIfAny(within: 2.2)
            let late = try sip.ask("PUBLISH", room, extra: PublishTests.fields + header)
            #expect(late.status == 401)
            let challenges = SIPCredentials.challenges(of: late)
            #expect(challenges.allSatisfy { $0["stale"]?.lowercased() == "true" })
            let again = try #require(try credentials.answer(to: late, "PUBLISH", room))
            #expect(try sip.ask("PUBLISH", room, extra: PublishTests.fields + again).status != 401)
        }

        @Test("a guessed MSRP session is none, and a stolen one is in use (RFC 4975 sections 5.4, 14)")
        func guessedSession() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let prefix = alice.msrp.remotePath.prefix { $0 != "/" } + "//\(confd.msrp)/"
            for guess in ["", "0", "alice", String(repeating: "a", count: 32)]
                + (0..<20).map({ _ in String(UInt64.random(in: 0...UInt64.max), radix: 36) })
            {
                let path = "\(prefix)\(guess);tcp"
                guard let thief = try? RawMSRPClient(remotePath: path, localPath: "msrp://127.0.0.1:9/thief;tcp") else {
                    continue
                }
                let status = (try? thief.bind())?.status ?? 481
                #expect([400, 403, 481].contains(status), "\(guess)")
            }
            let thief = try RawMSRPClient(remotePath: alice.msrp.remotePath, localPath: alice.msrp.localPath)
            #expect(try thief.bind().status == 506)
            #expect(try alice.say("mine") == 200)
            // Before Bob's ACK his session is nobody's without knowing it; ids say nothing about one another.
            let ids = try (0..<20).map { _ -> String in
                let bob = try Guarded.client("bob", "builder", of: confd)
                let call = try bob.invite(room, offer: Offer().text)
                try call.ack()
                return String(call.path.split(separator: "/").last?.prefix { $0 != ";" } ?? "")
            }
            #expect(Set(ids).count == ids.count)
            #expect(ids.allSatisfy { $0.count >= 14 })
        }

        @Test("somebody else's dialog: requests from another address are challenged, and do nothing")
        func stolenDialog() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let bob = try Participant(
                "bob", in: room, of: confd, domain: "example.com", password: "builder")
            let thief = try Guarded.client("alice", nil, of: confd, from: "127.0.0.2")
            for (method, extra) in [
                ("REFER", "Refer-To: <sip:bob@example.com;method=BYE>\r\n"), ("SUBSCRIBE", "Event: conference\r\n"),
                ("INVITE", ""),
            ] {
                try thief.send(
                    thief.requestText(
                        method, alice.call.target, to: alice.call.to, fromTag: alice.call.localTag,
                        callID: alice.call.callID, sequence: 100, extra: "Contact: \(thief.contact)\r\n" + extra))
                let response = try thief.finalResponse(to: alice.call.callID, 100, method)
                #expect([401, 403].contains(response.status), "\(method): \(response.startLine)")
            }
            #expect(try bob.sip.nextIfAny(within: 0.5) { $0.method == "BYE" } == nil)
            #expect(try alice.say("still me") == 200)
            #expect(try bob.hears() == "still me")
        }

        @Test("who left may not go on with his subscription's or REFER's dialog to act in the room")
        func leftBehind() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let bob = try Participant("bob", in: room, of: confd, domain: "example.com", password: "builder")
            let referral = try bob.refer("<sip:nobody@example.com;method=BYE>")
            #expect(referral.status == 403)
            try bob.leave()
            let bystander = try Bystander()
            let late = try RawReferral(bob.sip, room: room, referTo: "<\(bystander.uri())>")
            #expect(late.status == 403)
            #expect(try bystander.hears(within: 0.5) == nil)
            #expect(try alice.say("gone") == 200)
        }

        @Test("Privacy: id hides the name everywhere (RFC 3323, RFC 3325)")
        func privacy() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let sees = try alice.watch()
            let bob = try Participant(
                "bob", in: room, of: confd, domain: "example.com", password: "builder", extra: "Privacy: id\r\n"
            ) { $1.displayName = "Bob the Builder" }
            try sees.until("somebody") { $0.users.count == 2 }
            let anonymous = try #require(sees.view.users.keys.first { $0 != "sip:alice@example.com" })
            #expect(anonymous.hasPrefix("sip:anonymous"))
            #expect(anonymous.hasSuffix("@anonymous.invalid"))
            let id = try bob.msrp.post(RawMSRPClient.cpim(from: anonymous, to: room, "guess who"))
            #expect(try bob.msrp.response(to: id).status == 200)
            let heard = try alice.msrp.nextMessage()
            #expect(heard.cpimText == "guess who")
            #expect(heard.cpim("From")?.contains("anonymous.invalid") == true)
            try bob.leave()
            try sees.until("nobody else") { $0.connected.count == 1 }
            for document in sees.documents {
                let text = String(decoding: document, as: UTF8.self).lowercased()
                #expect(!text.contains("bob"))
                #expect(!text.contains(":\(bob.sip.localPort)"))
            }
            #expect(!heard.bodyText.lowercased().contains("bob@"))
            #expect(!confd.log.contains("bob@example.com"))
            #expect(!confd.log.contains("Bob the Builder"))
        }
    }
}
