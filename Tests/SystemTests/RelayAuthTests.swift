import Foundation
import Support
import Testing

/// Who reserves a session, and how its way to the relay is protected.
struct RelayWay: Sendable, CustomStringConvertible {
    let dialect: DigestDialect
    let tls: Bool

    static let all = DigestDialect.allCases.flatMap { dialect in
        [false, true].map { RelayWay(dialect: dialect, tls: $0) }
    }

    var description: String { "\(dialect), \(tls ? "TLS" : "plain")" }
}

extension SystemTests {
    @Suite("The relay: AUTH")
    struct RelayAuthTests {
        @Test(
            "a challenge, then a session with its proof (RFC 4976 sections 5.1, 9.1)", arguments: RelayWay.all)
        func authentication(_ way: RelayWay) throws {
            let relay = try RelayProcess()
            let client = try RawRelayClient(to: relay.address, tls: way.tls, dialect: way.dialect)
            let first = try client.auth(client.relayURI(RelayProcess.domain))
            #expect(first.status == 401)
            #expect(first["To-Path"] == client.uri)
            let challenges = first.fields.filter { $0.name == "WWW-Authenticate" }.map(\.value)
            #expect(!challenges.isEmpty)
            for challenge in challenges {
                #expect(challenge.hasPrefix("Digest "))
                // One challenge a header, and of qop auth alone.
                #expect(challenge.components(separatedBy: "Digest ").count == 2)
                #expect(challenge.contains("qop=\"auth\""))
                let parameters = DigestAnswer.parameters(challenge)
                #expect(parameters["realm"] == RelayProcess.domain)
                #expect(!(parameters["nonce"] ?? "").isEmpty)
                #expect(!(parameters["opaque"] ?? "").isEmpty)
                #expect(!["MD5-SESS", "SHA-256-SESS"].contains(parameters["algorithm"]?.uppercased() ?? ""))
            }
            let last = DigestAnswer.parameters(try #require(challenges.last))
            #expect((last["algorithm"] ?? "MD5") == "MD5")
            #expect(try client.authenticate().status == 200)
            // Its port is explicit, and so is the transport (RFC 4976 section 4.2).
            try #require(client.usePath.count == 1)
            #expect(client.usePath[0].hasPrefix("msrp\(way.tls ? "s" : "")://127.0.0.1:\(relay.address.port)/"))
            #expect(client.usePath[0].hasSuffix(";tcp"))
        }

        @Test("accounts whose password is known are offered SHA-256 before MD5 (RFC 8760)")
        func strongerAlgorithm() throws {
            let relay = try RelayProcess()
            let client = try RawRelayClient(to: relay.address, dialect: .kamailio)
            let response = try client.auth(client.relayURI(RelayProcess.domain))
            let algorithms = response.fields.filter { $0.name == "WWW-Authenticate" }
                .map { DigestAnswer.parameters($0.value)["algorithm"] ?? "MD5" }
            #expect(algorithms == ["SHA-256", "MD5"])
            #expect(try client.authenticate().status == 200)
            #expect(client.lastAnswer?.response.count == 64)
        }

        @Test("letter case and blanks of Authorization do not count", arguments: DigestDialect.allCases)
        func spelling(_ dialect: DigestDialect) throws {
            let relay = try RelayProcess()
            for (separator, upperCase) in [(",", false), (", ", true), (" ,  ", false), (",\t", true)] {
                let client = try RawRelayClient(to: relay.address, dialect: dialect)
                let response = try client.authenticate {
                    $0.separator = separator
                    $0.upperCase = upperCase
                }
                #expect(response.status == 200, "`\(separator)` \(upperCase)")
            }
        }

        @Test("a wrong password and an unknown user get the same 403; the attempt max_auth_attempts closes")
        func wrongPassword() throws {
            let relay = try RelayProcess()
            var answers = [String]()
            for user in ["alice", "nobody"] {
                let client = try RawRelayClient(to: relay.address)
                for attempt in 1...3 {
                    let response = try client.authenticate(as: user, password: "wrong")
                    #expect(response.status == 403, "\(attempt)")
                    answers.append(response.word + response.fields.map(\.name).joined(separator: " "))
                }
                #expect(client.closes(within: 5))
            }
            #expect(Set(answers).count == 1, "\(answers)")
            #expect(try relay.client().usePath.count == 1)
        }

        @Test("a right digest on an expired nonce gets 401 with stale=true, a wrong one 403 (RFC 7616 section 3.3)")
        func staleNonce() throws {
            let relay = try RelayProcess(["Relay": ["auth_challenge_expiration_time": "1"]])
            let client = try RawRelayClient(to: relay.address)
            let target = client.relayURI(RelayProcess.domain)
            let old = try client.challenge(in: try client.auth(target))
            // The nonce's end is what this waits for; nothing else tells of it.
            Thread.sleep(forTimeInterval: 2.2)
            let wrong = client.digestAnswer(to: old, as: "alice", password: "wrong", target: target)
            #expect(try client.auth(target, authorization: wrong.header).status == 403)
            let right = client.digestAnswer(
                to: old, as: "alice", password: RelayProcess.password(of: "alice"), target: target)
            let stale = try client.auth(target, authorization: right.header)
            #expect(stale.status == 401)
            let fresh = try client.challenge(in: stale)
            #expect(fresh["stale"]?.lowercased() == "true")
            #expect(fresh["nonce"] != old["nonce"])
            let again = client.digestAnswer(
                to: fresh, as: "alice", password: RelayProcess.password(of: "alice"), target: target)
            #expect(try client.auth(target, authorization: again.header).status == 200)
        }

        @Test("Expires out of bounds gets 423 with the bound, unreadable 400 (RFC 4976 section 6.3)")
        func expires() throws {
            let relay = try RelayProcess()
            let cases: [(String, Int, String?, String?)] = [
                ("60", 200, "Expires", "60"), ("3600", 200, "Expires", "3600"), ("59", 423, "Min-Expires", "60"),
                ("0", 423, "Min-Expires", "60"), ("3601", 423, "Max-Expires", "3600"), ("soon", 400, nil, nil),
                ("-1", 400, nil, nil), ("", 400, nil, nil),
                ("99999999999999999999", 423, "Max-Expires", "3600"),
            ]
            for (value, status, field, bound) in cases {
                let client = try RawRelayClient(to: relay.address)
                let response = try client.authenticate(expires: value)
                #expect(response.status == status, "Expires: \(value)")
                if let field { #expect(response[field] == bound, "Expires: \(value)") }
            }
            #expect(try RawRelayClient(to: relay.address).authenticate()["Expires"] == "600")
        }

        @Test("minimum_, default_ and maximum_expires are the operator's")
        func expiresConfigured() throws {
            let relay = try RelayProcess([
                "Relay": ["minimum_expires": "2", "default_expires": "5", "maximum_expires": "7"]
            ])
            let client = try RawRelayClient(to: relay.address)
            #expect(try client.authenticate(expires: "8")["Max-Expires"] == "7")
            let second = try RawRelayClient(to: relay.address)
            #expect(try second.authenticate(expires: "1")["Min-Expires"] == "2")
            #expect(try second.authenticate()["Expires"] == "5")
        }

        @Test(
            "a refresh goes to the session URI and keeps it; the bare URI gets 481", arguments: DigestDialect.allCases)
        func refresh(_ dialect: DigestDialect) throws {
            let relay = try RelayProcess()
            let client = try relay.client(dialect: dialect, expires: "60")
            let session = client.usePath
            let again = try client.authenticate(target: session[0], expires: "1800")
            #expect(again.status == 200)
            #expect(again["Expires"] == "1800")
            #expect(client.usePath == session)
            #expect(try client.auth(client.relayURI(RelayProcess.domain)).status == 481)
            // The session is none the worse.
            let outsider = try relay.outsider(for: client)
            try RelayProcess.bind(outsider, to: client)
        }

        @Test("nextnonce serves the next AUTH (RFC 7616 section 3.5)")
        func nextNonce() throws {
            let relay = try RelayProcess()
            let client = try RawRelayClient(to: relay.address)
            let response = try client.authenticate()
            let info = DigestAnswer.parameters(try #require(response["Authentication-Info"]))
            var challenge = try #require(client.lastAnswer).challenge
            challenge["nonce"] = try #require(info["nextnonce"])
            let answer = client.digestAnswer(
                to: challenge, as: "alice", password: RelayProcess.password(of: "alice"), target: client.usePath[0])
            let again = try client.auth(client.usePath[0], authorization: answer.header)
            #expect(again.status == 200)
            try answer.check(authenticationInfo: again["Authentication-Info"] ?? "")
        }

        @Test("a nonce count that was used is refused (RFC 7616 section 3.4)")
        func replayedCount() throws {
            let relay = try RelayProcess()
            let client = try relay.client()
            var answer = try #require(client.lastAnswer)
            answer.uri = client.usePath[0]
            let replayed = try client.auth(client.usePath[0], authorization: answer.header)
            #expect(replayed.status != 200)
        }

        @Test("Basic is neither offered nor taken (RFC 4976 section 9.1)")
        func basic() throws {
            let relay = try RelayProcess()
            let client = try RawRelayClient(to: relay.address)
            let text = Data("alice:\(RelayProcess.password(of: "alice"))".utf8).base64EncodedString()
            let response = try client.auth(client.relayURI(RelayProcess.domain), authorization: "Basic \(text)")
            #expect(response.status >= 400)
            #expect(response["Use-Path"] == nil)
            #expect(response.fields.allSatisfy { $0.name != "WWW-Authenticate" || $0.value.hasPrefix("Digest ") })
        }

        @Test("without debug_notls AUTH is taken over TLS alone (RFC 4976 section 5.1)")
        func secureOnly() throws {
            let relay = try RelayProcess(["Relay": ["debug_notls": "No"]])
            let plain = try RawRelayClient(to: relay.address)
            let response = try? plain.auth(plain.relayURI(RelayProcess.domain))
            #expect(response?.status != 401)
            #expect(response?.status != 200)
            #expect(try relay.client(tls: true).usePath[0].hasPrefix("msrps://"))
        }

        @Test("the realm is the To-Path's host, or default_domain for all")
        func realms() throws {
            let accounts = ["alice@one.example": "1", "alice@two.example": "2"]
            let relay = try RelayProcess(["Memory": accounts])
            for (domain, password) in [("one.example", "1"), ("two.example", "2")] {
                let client = try RawRelayClient(to: relay.address)
                #expect(try client.authenticate(password: password, domain: domain).status == 200)
            }
            let wrong = try RawRelayClient(to: relay.address)
            #expect(try wrong.authenticate(password: "2", domain: "one.example").status == 403)
            let single = try RelayProcess(["Relay": ["default_domain": "one.example"], "Memory": accounts])
            let client = try RawRelayClient(to: single.address)
            let challenge = try client.challenge(in: try client.auth(client.relayURI("relay.elsewhere.example")))
            #expect(challenge["realm"] == "one.example")
            #expect(try client.authenticate(password: "1", domain: "relay.elsewhere.example").status == 200)
        }

        @Test("a connection that is not authenticated is closed in time (RFC 4976 section 6.1)")
        func probation() throws {
            let relay = try RelayProcess(["MSRP": ["silent_timeout": "1 s"]])
            let silent = try RawRelayClient(to: relay.address)
            let challenged = try RawRelayClient(to: relay.address)
            let secured = try RawRelayClient(to: relay.address, tls: true)
            let client = try relay.client()
            _ = try challenged.auth(challenged.relayURI(RelayProcess.domain))
            #expect(silent.closes(within: 5))
            #expect(challenged.closes(within: 5))
            #expect(secured.closes(within: 5))
            // Who is authenticated stays, bound or not.
            try RelayProcess.bind(try relay.outsider(for: client), to: client)
        }

        @Test("log_failed_auth names the user, and never what was tried")
        func failedAuthLog() throws {
            for logs in [true, false] {
                let relay = try RelayProcess(["Relay": ["log_failed_auth": logs ? "Yes" : "No"]])
                let client = try RawRelayClient(to: relay.address)
                #expect(try client.authenticate(as: "mallory", password: "hunter2-tried").status == 403)
                if logs { _ = try relay.awaitLog("mallory") }
                _ = try relay.client()
                #expect(relay.log.contains("mallory") == logs)
                #expect(!relay.log.contains("hunter2-tried"))
            }
        }
    }
}
