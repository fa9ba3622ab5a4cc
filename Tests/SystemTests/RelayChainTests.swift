import Foundation
import Support
import Testing

/// Two relays that trust each other by certificates of one authority (RFC 4976 sections 6.3, 9.2).
struct RelayChain {
    let authority: TestAuthority
    let inner: RelayProcess
    let outer: RelayProcess

    /// `outerPeers`: whom the outer relay takes for a relay.
    init(outerPeers: String = "localhost", options: ConfdProcess.Options = [:]) throws {
        let authority = try TestAuthority()
        func relay(_ peers: String) throws -> RelayProcess {
            let folder = try TemporaryFolder()
            let issued = try authority.issue(["localhost"])
            var sections = options
            sections["Relay", default: [:]].merge([
                "hostname": "localhost", "peers": peers,
                "certificate": try folder.write(issued.certificate, to: "relay.crt"),
                "key": try folder.write(issued.key, to: "relay.key"),
            ]) { $1 }
            sections["MSRP", default: [:]]["trust"] = try folder.write(authority.pem, to: "ca.crt")
            return try RelayProcess(sections)
        }
        self.authority = authority
        let outer = try relay(outerPeers)
        self.outer = outer
        inner = try relay("localhost:\(outer.address.port)")
    }

    var outerURI: String { "msrps://localhost:\(outer.address.port);tcp" }

    /// A client of both: authenticated at the inner relay, then through it at the outer one.
    func client(_ user: String = "alice", tls: Bool = false, dialect: DigestDialect = .msrplib) throws
        -> RawRelayClient
    {
        let client = try inner.client(user, tls: tls, dialect: dialect)
        let response = try authenticateOutside(client, as: user)
        guard response.status == 200 else { throw SupportError("AUTH through the relay was answered \(response)") }
        return client
    }

    func authenticateOutside(_ client: RawRelayClient, as user: String, password: String? = nil) throws -> MSRPFrame {
        try client.authenticate(as: user, password: password, target: outerURI, through: [client.usePath[0]])
    }
}

extension SystemTests {
    @Suite("The relay: chains of two")
    struct RelayChainTests {
        @Test("AUTH goes through the first relay, and Use-Path grows (RFC 4976 section 5.1)", arguments: RelayWay.all)
        func authThrough(_ way: RelayWay) throws {
            // The accounts are the realm's: the outer relay's To-Path names localhost.
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let client = try chain.inner.client(tls: way.tls, dialect: way.dialect)
            let first = client.usePath
            let challenge = try client.auth(chain.outerURI, through: first)
            #expect(challenge.status == 401)
            #expect(challenge["From-Path"] == "\(first[0]) \(chain.outerURI)")
            #expect(challenge["To-Path"] == client.uri)
            let response = try chain.authenticateOutside(client, as: "alice")
            #expect(response.status == 200)
            try #require(client.usePath.count == 2)
            #expect(client.usePath[0] == first[0])
            #expect(client.usePath[1].hasPrefix("msrps://localhost:\(chain.outer.address.port)/"))
            #expect(Int(response["Expires"] ?? "") == 600)
        }

        @Test("a wrong password is refused by the outer relay, through the inner one")
        func wrongPassword() throws {
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let client = try chain.inner.client()
            let first = client.usePath
            #expect(try chain.authenticateOutside(client, as: "alice", password: "wrong").status == 403)
            client.usePath = first
            #expect(try chain.authenticateOutside(client, as: "alice").status == 200)
        }

        @Test("messages of every kind over two hops", arguments: RelayWay.all)
        func twoHops(_ way: RelayWay) throws {
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let client = try chain.client(tls: way.tls, dialect: way.dialect)
            let outsider = try RawRelayClient(to: chain.outer.address, tls: true)
            outsider.peer = client.path
            client.peer = [outsider.uri]
            try RelayProcess.bind(outsider, to: client)
            let back = client.usePath.joined(separator: " ")
            for turn in 0..<20 {
                #expect(try outsider.say("in \(turn)") == 200)
                let came = try client.nextMessage()
                #expect(came.bodyText == "in \(turn)")
                #expect(came["From-Path"] == "\(back) \(outsider.uri)")
                #expect(try client.say("out \(turn)") == 200)
                let went = try outsider.nextMessage()
                #expect(went.bodyText == "out \(turn)")
                #expect(went["From-Path"] == "\(client.usePath.reversed().joined(separator: " ")) \(client.uri)")
            }
            let pattern = BodyPattern()
            let body = pattern.bytes(offset: 5, count: 300_000)
            for (sender, receiver) in [(client, outsider), (outsider, client)] {
                let id = try sender.postMessage(body)
                #expect(try receiver.nextWhole().body == body)
                #expect(try sender.response(to: id).status == 200)
                // Pipelined.
                let ids = try (0..<50).map { try sender.postMessage("p\($0)") }
                #expect(try (0..<50).map { _ in try receiver.hears() } == (0..<50).map { "p\($0)" })
                for id in ids { #expect(try sender.response(to: id).status == 200) }
                // 64 KiB chunks with reports.
                let chunk = try sender.postMessage(
                    pattern.bytes(offset: 0, count: 65_536), messageID: "c1", range: "1-*/131072",
                    fields: "Success-Report: yes\r\nFailure-Report: yes\r\n", flag: "+")
                var octets = 0
                while octets < 65_536 { octets += try receiver.nextMessage().body?.count ?? 65_536 }
                #expect(octets == 65_536)
                #expect(try sender.response(to: chunk).status == 200)
                try receiver.post(
                    "REPORT", fields: "Message-ID: c1\r\nByte-Range: 1-65536/131072\r\nStatus: 000 200 OK\r\n")
                #expect(try sender.nextReport()["Byte-Range"] == "1-65536/131072")
                // A refusal at the far end.
                receiver.answer = .status("415 No")
                try sender.postMessage(Array("x".utf8), messageID: "refused")
                _ = try receiver.nextMessage()
                #expect(try sender.nextReport()["Status"]?.hasPrefix("000 415") == true)
                receiver.answer = .silent
                _ = try receiver.leftovers(after: 0.1)
                // End to end.
                let asked = try sender.post("FILE_OFFSET")
                try receiver.respond(to: try receiver.next(), extra: "Offset: 99\r\n")
                #expect(try sender.response(to: asked)["Offset"] == "99")
                receiver.answer = .honest
            }
            #expect(try client.keepAlive() == 200)
        }

        @Test("the client's first SEND goes out through both relays")
        func connectsOut() throws {
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let client = try chain.client()
            let listener = try StreamListener()
            client.peer = ["msrp://127.0.0.1:\(listener.port)/far;tcp"]
            #expect(try client.say("over two") == 200)
            let peer = RawRelayClient(stream: try listener.accept(), uri: client.peer[0])
            peer.peer = client.path
            #expect(try peer.hears() == "over two")
            #expect(try peer.say("and back") == 200)
            #expect(try client.hears() == "and back")
        }

        @Test("a large file over two hops, every octet", arguments: [false, true])
        func largeFile(tls: Bool) throws {
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let client = try chain.client(tls: tls)
            let outsider = try RawRelayClient(to: chain.outer.address, tls: tls)
            outsider.peer = client.path
            client.peer = [outsider.uri]
            try RelayProcess.bind(outsider, to: client)
            let pattern = BodyPattern()
            for (sender, receiver) in [(client, outsider), (outsider, client)] {
                let results = try concurrently([
                    { @Sendable () throws -> BulkResult? in
                        _ = try sender.sendBulk(pattern, total: 10_000_000, chunk: 65_536)
                        return nil
                    },
                    { @Sendable () throws -> BulkResult? in try receiver.receiveBulk(pattern) },
                ])
                #expect(results[1]?.octets == 10_000_000)
                #expect(results[1]?.damaged == false)
            }
        }

        @Test("either end's death, and either relay's, ends the session at both", arguments: 0..<4)
        func deaths(who: Int) throws {
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let client = try chain.client()
            let outsider = try RawRelayClient(to: chain.outer.address)
            outsider.peer = client.path
            client.peer = [outsider.uri]
            try RelayProcess.bind(outsider, to: client)
            switch who {
            case 0: client.stream.reset()
            case 1: outsider.stream.reset()
            case 2: chain.inner.process.signal(SIGKILL)
            default: chain.outer.process.signal(SIGKILL)
            }
            if who != 0 { #expect(client.closes(within: 10)) }
            if who != 1 { #expect(outsider.closes(within: 10)) }
        }

        @Test("AUTH is not forwarded to a relay that is no peer (RFC 4976 section 9.3)")
        func notAPeer() throws {
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let client = try chain.inner.client()
            let listener = try StreamListener()
            let response = try client.auth(
                "msrps://localhost:\(listener.port);tcp", through: client.usePath)
            #expect(response.status >= 400 && response.status != 401, "\(response)")
            #expect(throws: SupportError.self) { try listener.accept(within: 0.2) }
            // The session does not suffer.
            let outsider = try chain.inner.outsider(for: client)
            try RelayProcess.bind(outsider, to: client)
        }

        @Test("a relay whose certificate is for another name or of another authority is none (RFC 4976 section 6.3)")
        func wrongCertificate() throws {
            let chain = try RelayChain(options: ["Relay": ["default_domain": RelayProcess.domain]])
            let stranger = try TestAuthority("another authority")
            let identities = [
                (try chain.authority.issue(["localhost"]), true),
                (try chain.authority.issue(["elsewhere.example"]), false),
                (try stranger.issue(["localhost"]), false), (nil, false),
            ]
            for (number, (identity, isRelay)) in identities.enumerated() {
                let poser = try RawRelayClient(
                    to: chain.outer.address, tls: true,
                    identity: identity.map { (Array($0.certificate.utf8), Array($0.key.utf8)) })
                let id = try poser.post(
                    "AUTH", to: chain.outerURI, from: "msrps://localhost:2855/0123456789abcdef;tcp \(poser.uri)")
                let response = try? poser.response(to: id)
                #expect((response?.status == 401) == isRelay, "\(number): \(response.map { "\($0)" } ?? "closed")")
            }
        }

        @Test("a relay that is not among the outer one's peers is none")
        func unknownRelay() throws {
            let chain = try RelayChain(
                outerPeers: "other.example", options: ["Relay": ["default_domain": RelayProcess.domain]])
            let client = try chain.inner.client()
            let response = try? chain.authenticateOutside(client, as: "alice")
            if response?.status == 200 { Issue.record("the outer relay trusts \(client.usePath)") }
        }
    }

    @Suite(
        "The relay: Kamailio as the other hop",
        .enabled(if: KamailioProcess.isInstalled, "kamailio with its msrp module is not installed"))
    struct RelayKamailioTests {
        /// client - confd - Kamailio - peer
        private struct Way {
            let relay: RelayProcess
            let kamailio: KamailioProcess
            let client: RawRelayClient
            let peer: RawRelayClient

            init(tls: Bool = false) throws {
                relay = try RelayProcess()
                kamailio = try KamailioProcess()
                client = try relay.client(tls: tls, dialect: .kamailio)
                let listener = try StreamListener()
                let far = "msrp://127.0.0.1:\(listener.port)/far;tcp"
                let hop = kamailio.uri()
                client.peer = [hop, far]
                #expect(try client.say("through both") == 200)
                peer = RawRelayClient(stream: try listener.accept(), dialect: .kamailio, uri: far)
                peer.peer = [hop] + client.path
                #expect(try peer.hears() == "through both")
            }
        }

        @Test("text and files go through confd and Kamailio to a peer", arguments: [false, true])
        func outward(tls: Bool) throws {
            let way = try Way(tls: tls)
            for turn in 0..<20 {
                #expect(try way.client.say("out \(turn)") == 200)
                let came = try way.peer.nextMessage()
                #expect(came.bodyText == "out \(turn)")
                #expect(came["From-Path"]?.hasSuffix("\(way.client.usePath[0]) \(way.client.uri)") == true)
            }
            let pattern = BodyPattern()
            var at = 0
            while at < 200_000 {
                // Kamailio takes no larger frame.
                let id = try way.client.postMessage(
                    pattern.bytes(offset: at, count: 8_000), messageID: "file", range: "\(at + 1)-*/200000",
                    flag: at + 8_000 == 200_000 ? "$" : "+")
                #expect(try way.client.response(to: id).status == 200)
                at += 8_000
            }
            #expect(try way.peer.nextWhole(messageID: "file").body == pattern.bytes(offset: 0, count: 200_000))
        }

        @Test("Kamailio brings a peer's messages to confd's client")
        func inward() throws {
            let relay = try RelayProcess()
            let kamailio = try KamailioProcess()
            let client = try relay.client()
            let outsider = try RawRelayClient(to: kamailio.address, dialect: .kamailio)
            outsider.peer = [kamailio.uri("in")] + client.path
            client.peer = [kamailio.uri("in"), outsider.uri]
            #expect(try outsider.say("from behind Kamailio") == 200)
            let came = try client.nextMessage()
            #expect(came.bodyText == "from behind Kamailio")
            #expect(came["From-Path"] == "\(client.usePath[0]) \(kamailio.uri("in")) \(outsider.uri)")
            for turn in 0..<20 {
                #expect(try outsider.say("in \(turn)") == 200)
                #expect(try client.hears() == "in \(turn)")
            }
            try outsider.post("REPORT", fields: "Message-ID: r\r\nByte-Range: 1-5/5\r\nStatus: 000 200 OK\r\n")
            #expect(try client.nextReport()["Status"] == "000 200 OK")
        }

        @Test("a client of confd's relay and one of Kamailio's talk to each other")
        func relayOfTheOther() throws {
            let relay = try RelayProcess()
            let kamailio = try KamailioProcess()
            let alice = try relay.client()
            let bob = try RawRelayClient(to: kamailio.address, dialect: .kamailio)
            let saved = try bob.auth("msrps://127.0.0.1:\(kamailio.address.port);tcp")
            try #require(saved.status == 200, "\(saved)")
            // Its Use-Path says msrps even without TLS.
            bob.usePath = (saved["Use-Path"] ?? "").split(separator: " ").map {
                $0.replacingOccurrences(of: "msrps://", with: "msrp://")
            }
            alice.peer = bob.path
            bob.peer = alice.path
            // Kamailio connects to whoever a URI names, whatever connection it has from there: so its side comes first,
            // and that connection is the session's.
            for turn in 0..<10 {
                #expect(try bob.say("to alice \(turn)") == 200)
                #expect(try alice.hears() == "to alice \(turn)")
                #expect(try alice.say("to bob \(turn)") == 200)
                #expect(try bob.hears() == "to bob \(turn)")
            }
        }
    }
}
