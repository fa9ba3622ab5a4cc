import MSRPTransport
import NIOCore
import NIOGnuTLS
import Payloads
import Support
import Testing

@testable import MediaMixer

/// Who connects to whom, and where to: offer and answer as `Payloads` judges them, and then real sockets that do what
/// the descriptions say.
@Suite("Connections in every combination (RFC 4975 5.4, RFC 6135, RFC 6714)", .serialized)
struct ConnectionMatrixTests {
    /// What the peer's c= and m= lines name.
    enum Lines: Sendable, CaseIterable {
        /// The peer itself, as RFC 4975 section 8.1 has it; no a=msrp-cema.
        case own
        /// Where the peer is reached, and a=msrp-cema.
        case cema
        /// Another place, that a middlebox wrote there, and a=msrp-cema.
        case middlebox
    }

    struct Combination: Sendable, CustomStringConvertible {
        let peerOffers: Bool
        /// The peer's a=setup.
        let setup: String?
        let lines: Lines
        /// Two relays stand before the peer.
        let isRelayed: Bool
        /// The peer knows our address otherwise than we do, and names the session by its id alone (sessmatch).
        let namesByID: Bool

        static let all = [true, false].flatMap { peerOffers in
            (peerOffers ? [nil, "active", "passive", "actpass", "holdconn"] : [nil, "active", "passive", "holdconn"])
                .flatMap { (setup: String?) in
                    Lines.allCases.flatMap { lines in
                        [false, true].flatMap { isRelayed in
                            [false, true].map {
                                Combination(
                                    peerOffers: peerOffers, setup: setup, lines: lines, isRelayed: isRelayed,
                                    namesByID: $0)
                            }
                        }
                    }
                }
        }

        /// An offer of passive is taken, all else leaves it to the peer; without an answer that says active the offerer
        /// connects (RFC 6135 section 4.2, RFC 4975 section 5.4).
        var weConnect: Bool { peerOffers ? setup == "passive" : setup != "active" }

        /// RFC 6714 section 4.3: a relayed offerer that connects itself falls back, and gets no a=msrp-cema.
        var answersCEMA: Bool {
            lines != .own && !(isRelayed && (setup == nil || setup == "active" || setup == "holdconn"))
        }

        var description: String {
            "\(peerOffers ? "offer" : "answer") \(setup ?? "without a=setup"), c= and m= \(lines)"
                + (isRelayed ? ", relayed" : "") + (namesByID ? ", by id" : "")
        }
    }

    enum Family: String, Sendable, CaseIterable {
        case ipv4 = "127.0.0.1"
        case ipv6 = "::1"
    }

    /// Made once: a key takes longer than a connection.
    private struct Identities {
        let shown: TLSIdentity
        /// Of a peer whose relay shows another one.
        let hidden: TLSIdentity

        init() throws {
            shown = try SelfSignedCertificate.generate(names: ["a relay or a client"])
            hidden = try SelfSignedCertificate.generate(names: ["the peer itself"])
        }
    }

    /// The peer: where it listens, and what its SDP says.
    private struct Peer {
        let host: String
        let isTLS: Bool
        let listener: StreamListener
        let middlebox: StreamListener
        let identities: Identities
        var identity: TLSIdentity { identities.shown }
        let path: String
        let firstHop: String

        init(_ name: String, _ host: String, _ identities: Identities, isTLS: Bool, isRelayed: Bool) throws {
            self.identities = identities
            self.host = host
            self.isTLS = isTLS
            listener = try StreamListener(host: host)
            middlebox = try StreamListener(host: host)
            let place = host.contains(":") ? "[\(host)]" : host
            let scheme = isTLS ? "msrps" : "msrp"
            let own = "\(scheme)://\(place):\(isRelayed ? 9 : listener.port)/\(name);tcp"
            firstHop = isRelayed ? "\(scheme)://\(place):\(listener.port)/r1\(name);tcp" : own
            path = isRelayed ? "\(firstHop) msrp://relay.invalid:2855/r2\(name);tcp \(own)" : own
        }

        func port(_ lines: Lines, isRelayed: Bool) -> UInt16 {
            switch lines {
            case .own: isRelayed ? 9 : listener.port
            case .cema: listener.port
            case .middlebox: middlebox.port
            }
        }

        func description(setup: String?, lines: Lines, isRelayed: Bool) -> [UInt8] {
            let address = "IN IP\(host.contains(":") ? 6 : 4) \(host)"
            var text = [
                "v=0", "o=- 1 1 \(address)", "s=-", "c=\(address)", "t=0 0",
                "m=message \(port(lines, isRelayed: isRelayed)) TCP/\(isTLS ? "TLS/" : "")MSRP *",
                "a=accept-types:message/cpim", "a=accept-wrapped-types:*", "a=path:\(path)",
            ]
            if let setup { text.append("a=setup:\(setup)") }
            if lines != .own { text.append("a=msrp-cema") }
            // A relayed peer's certificate is one that its relay does not have (RFC 6135 section 4.3).
            if isTLS {
                let own = isRelayed ? identities.hidden : identities.shown
                text.append("a=fingerprint:\(own.fingerprint(.sha256))")
            }
            return Array(text.map { $0 + "\r\n" }.joined().utf8)
        }

        func accept(on listener: StreamListener) throws -> ByteStream {
            isTLS
                ? try listener.acceptTLS(identity: (identity.certificatePEM, identity.keyPEM)) : try listener.accept()
        }

        /// - Parameter to: what the client writes into To-Path.
        func connect(to localPath: String, naming to: String) throws -> RawMSRPClient {
            let connected = try RawMSRPClient(
                remotePath: localPath, localPath: path,
                identity: isTLS ? (identity.certificatePEM, identity.keyPEM) : nil)
            return RawMSRPClient(stream: connected.stream, remotePath: to, localPath: path)
        }
    }

    private static func fixture(_ family: Family, isTLS: Bool) async throws -> MixerFixture {
        let server = try isTLS ? TLSContext.server(identities: [SelfSignedCertificate.generate(names: ["us"])]) : nil
        let client = try isTLS ? TLSContext.client() : nil
        return try await MixerFixture(
            host: family.rawValue,
            adjust: {
                $0.serverTLS = server
                $0.clientTLS = client
            })
    }

    private static func observer(_ fixture: MixerFixture, _ family: Family) async throws -> TestParticipant {
        try await fixture.join("observer") { $0.path = "msrp://127.0.0.1:9/observer;tcp" }
    }

    private static func negotiation() -> MSRPNegotiation { MSRPNegotiation(local: LocalMedia(), originID: 7) }

    /// As the focus does it.
    private static func exchange(
        _ combination: Combination, _ peer: Peer, _ name: String, _ fixture: MixerFixture
    ) async throws -> Reservation {
        var machine = negotiation()
        let theirs = peer.description(
            setup: combination.setup, lines: combination.lines, isRelayed: combination.isRelayed)
        if combination.peerOffers {
            let media = try machine.examine(offer: theirs).media
            let reservation = try await fixture.reserve(name) { $0 = PeerMedia(media) }
            let answer = String(decoding: machine.answer(localPath: reservation.localPath), as: UTF8.self)
            #expect(answer.contains("a=setup:\(combination.weConnect ? "active" : "passive")\r\n"), "\(combination)")
            #expect(answer.contains("a=msrp-cema\r\n") == combination.answersCEMA, "\(combination)")
            #expect(answer.contains("a=path:\(reservation.localPath)\r\n"), "\(combination)")
            return reservation
        }
        let reservation = try await fixture.reserve(name) {
            $0 = PeerMedia(path: "", role: .peerConnects, isTLS: peer.isTLS, format: .cpim)
        }
        let offer = machine.makeOffer(localPath: reservation.localPath, cema: combination.lines != .own)
        #expect(String(decoding: offer, as: UTF8.self).contains("a=setup:actpass\r\n"))
        let media = try machine.acceptAnswer(theirs).media
        _ = try await fixture.mixer.renegotiate(reservation.member, media: PeerMedia(media), newSession: false)
        return reservation
    }

    /// The peer's session with us, bound: by our empty SEND, or by the peer's.
    private static func bind(
        _ peer: Peer, weConnect: Bool, listener: StreamListener, localPath: String, naming to: String, _ what: String
    ) throws -> RawMSRPClient {
        if weConnect {
            let client = RawMSRPClient(
                stream: try peer.accept(on: listener), remotePath: to, localPath: peer.path)
            let bind = try client.next()
            #expect(bind.word == "SEND" && bind.body == nil, "\(what)")
            #expect(bind["To-Path"] == peer.path, "\(what)")
            #expect(bind["From-Path"] == localPath, "\(what)")
            return client
        }
        let client = try peer.connect(to: localPath, naming: to)
        let bound = try client.bind()
        #expect(bound.status == 200, "\(what)")
        // The answer goes back hop by hop (RFC 4975 section 7.2): to the adjacent one alone.
        #expect(bound["To-Path"] == peer.firstHop, "\(what)")
        #expect(bound["From-Path"] == localPath, "\(what)")
        return client
    }

    /// Messages flow in both directions, and a report finds the whole way back.
    private static func talk(
        _ client: RawMSRPClient, _ name: String, with observer: TestParticipant, _ peer: Peer, localPath: String,
        _ what: String
    ) throws {
        #expect(try observer.say("to \(name)") == 200, "\(what)")
        let heard = try client.nextMessage()
        #expect(heard.cpimText == "to \(name)", "\(what)")
        #expect(heard["To-Path"] == peer.path, "\(what)")
        #expect(heard["From-Path"] == localPath, "\(what)")
        let body = RawMSRPClient.cpim(from: "sip:\(name)@example.com", to: observer.room.uri, "from \(name)")
        let id = try client.post(body, extra: "Success-Report: yes\r\n")
        let answer = try client.response(to: id)
        #expect(answer.status == 200, "\(what)")
        #expect(answer["To-Path"] == peer.firstHop, "\(what)")
        #expect(try observer.hears() == "from \(name)", "\(what)")
        let report = try client.next()
        #expect(report.word == "REPORT" && report["Status"]?.hasPrefix("000 200") == true, "\(what)")
        #expect(report["To-Path"] == peer.path, "\(what)")
        #expect(report["From-Path"] == localPath, "\(what)")
    }

    @Test(
        "each is made as offer and answer say, and carries messages both ways", arguments: Family.allCases,
        [false, true])
    func matrix(family: Family, isTLS: Bool) async throws {
        let fixture = try await Self.fixture(family, isTLS: isTLS)
        let observer = try await Self.observer(fixture, family)
        let identities = try Identities()
        for (number, combination) in Combination.all.enumerated() {
            let name = "peer\(number)"
            let peer = try Peer(name, family.rawValue, identities, isTLS: isTLS, isRelayed: combination.isRelayed)
            let reservation = try await Self.exchange(combination, peer, name, fixture)
            await fixture.mixer.joined(reservation.member)
            // RFC 6714 section 4: with CEMA the lines' place, else the path's first URI.
            let isThere = combination.lines == .middlebox
            let ours = reservation.localPath
            let id = ours.split(separator: "/").last.map(String.init) ?? ""
            let to = combination.namesByID ? "msrp\(isTLS ? "s" : "")://nat.invalid:7/\(id)" : ours
            let client = try Self.bind(
                peer, weConnect: combination.weConnect, listener: isThere ? peer.middlebox : peer.listener,
                localPath: ours, naming: to, "\(combination)")
            try Self.talk(client, name, with: observer, peer, localPath: ours, "\(combination)")
            #expect(try peer.listener.acceptIfAny() == nil)
            #expect(try peer.middlebox.acceptIfAny() == nil)
            await fixture.mixer.leave(reservation.member, reason: .departed)
            #expect(try client.stream.closes(within: 5), "\(combination)")
        }
        try await fixture.end()
    }

    // MARK: Changing

    struct Change: Sendable, CustomStringConvertible {
        let first: String
        let second: String?
        let isNewPath: Bool
        let isLost: Bool

        static let all = ["active", "passive"].flatMap { first in
            [nil, "active", "passive", "actpass", "holdconn"].flatMap { (second: String?) in
                [false, true].flatMap { isNewPath in
                    [false, true].map { Change(first: first, second: second, isNewPath: isNewPath, isLost: $0) }
                }
            }
        }

        var description: String {
            "\(first), then \(second ?? "no a=setup")\(isNewPath ? ", new path" : "")\(isLost ? ", lost before" : "")"
        }
    }

    @Test(
        "a re-INVITE keeps the connection of a path that stays, whatever a=setup says; a new path, or a loss, makes a new one",
        arguments: Family.allCases, [false, true])
    func changes(family: Family, isTLS: Bool) async throws {
        let fixture = try await Self.fixture(family, isTLS: isTLS)
        let observer = try await Self.observer(fixture, family)
        let identities = try Identities()
        for (number, change) in Change.all.enumerated() {
            let name = "peer\(number)"
            let what = "\(change)"
            let before = try Peer(name, family.rawValue, identities, isTLS: isTLS, isRelayed: false)
            var machine = Self.negotiation()
            let offer = before.description(setup: change.first, lines: .own, isRelayed: false)
            let media = try machine.examine(offer: offer).media
            let reservation = try await fixture.reserve(name) { $0 = PeerMedia(media) }
            _ = machine.answer(localPath: reservation.localPath)
            await fixture.mixer.joined(reservation.member)
            let client = try Self.bind(
                before, weConnect: change.first == "passive", listener: before.listener,
                localPath: reservation.localPath, naming: reservation.localPath, what)
            try Self.talk(client, name, with: observer, before, localPath: reservation.localPath, what)
            if change.isLost {
                client.stream.close()
                try await fixture.until { fixture.events.last == "\(name) lost" }
            }

            let after =
                change.isNewPath
                ? try Peer("\(name)b", family.rawValue, identities, isTLS: isTLS, isRelayed: false) : before
            let examination = try machine.examine(
                offer: after.description(setup: change.second, lines: .own, isRelayed: false))
            #expect((examination.change == .newSession) == change.isNewPath, "\(what)")
            let isNew = examination.change == .newSession || change.isLost
            let renewed = try await fixture.mixer.renegotiate(
                reservation.member, media: PeerMedia(examination.media), newSession: isNew)
            let answer = String(decoding: machine.answer(localPath: renewed.localPath), as: UTF8.self)
            #expect((renewed.localPath != reservation.localPath) == isNew, "\(what)")
            guard isNew else {
                try Self.talk(client, name, with: observer, before, localPath: reservation.localPath, what)
                await fixture.mixer.leave(reservation.member, reason: .departed)
                #expect(try client.stream.closes(within: 5), "\(what)")
                continue
            }
            // actpass repeats who had connected, where the path is the same.
            let weConnect =
                change.second == "passive"
                || (change.second == "actpass" && !change.isNewPath && change.first == "passive")
            #expect(answer.contains("a=setup:\(weConnect ? "active" : "passive")\r\n"), "\(what)")
            if !change.isLost { #expect(try client.stream.closes(within: 5), "\(what)") }
            let again = try Self.bind(
                after, weConnect: weConnect, listener: after.listener, localPath: renewed.localPath,
                naming: renewed.localPath, what)
            try Self.talk(again, name, with: observer, after, localPath: renewed.localPath, what)
            // The old id is nobody's (RFC 4975 section 5.4).
            let stranger = try after.connect(to: renewed.localPath, naming: reservation.localPath)
            #expect(try stranger.bind().status == 481, "\(what)")
            await fixture.mixer.leave(reservation.member, reason: .departed)
        }
        try await fixture.end()
    }

    @Test(
        "who does not come back within the grace period is given up, whoever had connected",
        arguments: ["active", "passive"])
    func grace(setup: String) async throws {
        let fixture = try await Self.fixture(.ipv4, isTLS: false)
        let peer = try Peer("peer", "127.0.0.1", Identities(), isTLS: false, isRelayed: false)
        var machine = Self.negotiation()
        let media = try machine.examine(offer: peer.description(setup: setup, lines: .own, isRelayed: false)).media
        let reservation = try await fixture.reserve("peer") { $0 = PeerMedia(media) }
        await fixture.mixer.joined(reservation.member)
        let client = try Self.bind(
            peer, weConnect: setup == "passive", listener: peer.listener, localPath: reservation.localPath,
            naming: reservation.localPath, setup)
        client.stream.close()
        try await fixture.until { fixture.events.last == "peer lost" }
        await fixture.tick(after: .seconds(9))
        #expect(fixture.events.last == "peer lost")
        await fixture.tick(after: .seconds(11))
        #expect(fixture.events.last == "peer ended graceExpired")
        try await fixture.end()
    }

    // MARK: Whose certificate

    enum Announced: Sendable, CaseIterable {
        case nothing
        case right
        case wrong
    }

    struct Trust: Sendable, CustomStringConvertible {
        let verifies: Bool
        let isTrusted: Bool
        let announced: Announced
        let isRelayed: Bool

        static let all = [false, true].flatMap { verifies in
            [false, true].flatMap { isTrusted in
                Announced.allCases.flatMap { announced in
                    [false, true].map {
                        Trust(verifies: verifies, isTrusted: isTrusted, announced: announced, isRelayed: $0)
                    }
                }
            }
        }

        /// How it ends; nil: it doesn't.
        var ending: String? {
            if !isRelayed, announced != .nothing { return announced == .wrong ? "fingerprintMismatch" : nil }
            return verifies && !isTrusted ? "connectFailed" : nil
        }

        var description: String {
            "tls_verify \(verifies ? "on" : "off"), \(isTrusted ? "trusted" : "self-signed"), \(announced) announced"
                + (isRelayed ? ", relayed" : "")
        }
    }

    @Test(
        "we connect by TLS: a fingerprint decides, without one tls_verify does, and a relay is told by its name",
        arguments: Trust.all)
    func certificates(_ trust: Trust) async throws {
        let identity = try SelfSignedCertificate.generate(names: ["127.0.0.1"])
        let other = try SelfSignedCertificate.generate(names: ["127.0.0.1"])
        let client = try TLSContext.client(
            trust: .pem(trust.isTrusted ? identity.certificatePEM : other.certificatePEM))
        let fixture = try await MixerFixture(adjust: {
            $0.clientTLS = client
            $0.verifiesPeers = trust.verifies
        })
        let listener = try StreamListener()
        let own = "msrps://127.0.0.1:\(trust.isRelayed ? 9 : listener.port)/peer;tcp"
        let path = trust.isRelayed ? "msrps://127.0.0.1:\(listener.port)/relay;tcp \(own)" : own
        let announced = (trust.announced == .wrong ? other : identity).fingerprint(.sha256)
        let reservation = try await fixture.reserve("peer") {
            $0.path = path
            $0.isTLS = true
            $0.role = .weConnect(host: "127.0.0.1", port: Int(listener.port))
            if trust.announced != .nothing {
                $0.fingerprints = [.init(hash: announced.hash.rawValue, digest: announced.digest)]
            }
        }
        await fixture.mixer.joined(reservation.member)
        // A client that refuses the certificate says so within the handshake, or by closing.
        let stream = try? listener.acceptTLS(identity: (identity.certificatePEM, identity.keyPEM), within: 5)
        if let ending = trust.ending {
            try await fixture.until { fixture.events.last == "peer ended \(ending)" }
            if let stream { #expect(try stream.closes(within: 5)) }
        } else {
            let peer = RawMSRPClient(
                stream: try #require(stream), remotePath: reservation.localPath, localPath: path)
            #expect(try peer.next()["To-Path"] == path)
            try await fixture.until { fixture.events.last == "peer active" }
        }
        try await fixture.end()
    }
}

extension PeerMedia {
    /// As the focus says it to the mixer.
    fileprivate init(_ chosen: ChosenMedia) {
        let role: Role = chosen.target.map { .weConnect(host: $0.host, port: Int($0.port)) } ?? .peerConnects
        self.init(
            path: chosen.remotePath, role: role, isTLS: chosen.isTLS, format: .cpim,
            acceptedWrappedTypes: ["*"],
            fingerprints: chosen.fingerprints.map { .init(hash: $0.hash.rawValue, digest: $0.digest) })
    }
}
