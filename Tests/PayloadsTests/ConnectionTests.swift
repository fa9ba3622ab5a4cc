import Testing

@testable import Payloads

@Suite("Who connects, RFC 6135")
struct SetupTests {
    /// Offered setup, our role, our answer.
    static let table: [(String?, ChosenMedia.Role, String)] = [
        (nil, .passive, "passive"), ("active", .passive, "passive"), ("actpass", .passive, "passive"),
        ("passive", .active, "active"), ("holdconn", .passive, "passive"), ("unheard-of", .passive, "passive"),
        ("ACTIVE", .passive, "passive"), (" passive", .active, "active"),
    ]

    @Test(
        "passive to active and actpass, active to passive, the offerer is active by default (RFC 6135 section 4.2)",
        arguments: table)
    func answer(offered: String?, role: ChosenMedia.Role, answer: String) throws {
        let offer = offer(attributes: offered.map { ["a=setup:\($0)"] } ?? [])
        let media = try examined(offer).get()
        #expect(media.role == role)
        #expect(media.target == (role == .active ? .init(host: "192.0.2.7", port: 2855) : nil))
        #expect(try answered(offer).attribute("setup") == answer)
    }

    @Test("a=connection is ignored and never sent (RFC 6135 section 4.4)")
    func connection() throws {
        let line = try answered(offer(attributes: ["a=connection:existing"]))
        #expect(!line.hasAttribute("connection"))
    }

    @Test("an active end connects to the first URI of the path (RFC 4975 section 8.3)")
    func firstHop() throws {
        let offer = offer(
            transport: "TCP/TLS/MSRP", port: 9000, connection: "IN IP6 2001:db8::9",
            path: "msrps://[2001:DB8::9]:9000/relay;tcp msrp://192.0.2.7:2855/peer;tcp", attributes: ["a=setup:passive"]
        )
        let media = try examined(offer).get()
        #expect(media.target == .init(host: "2001:DB8::9", port: 9000))
        #expect(media.remoteURIs == ["msrps://[2001:DB8::9]:9000/relay;tcp", "msrp://192.0.2.7:2855/peer;tcp"])
    }
}

extension SetupTests {
    @Test("an end that connects wants the scheme of the transport, one that waits does not mind (RFC 4975 section 8.1)")
    func scheme() throws {
        let path = "msrps://192.0.2.7:2855/peer;tcp"
        #expect(examined(offer(path: path, attributes: ["a=setup:passive"])) == .failure(.otherScheme))
        #expect(try examined(offer(path: path)).get().isTLS == false)
        let plainPath = offer(transport: "TCP/TLS/MSRP", attributes: ["a=setup:passive"])
        #expect(examined(plainPath) == .failure(.otherScheme))
        var machine = negotiation()
        _ = machine.makeOffer(localPath: ourPath)
        #expect(throws: AnswerError.unusable(.otherScheme)) { try machine.acceptAnswer(offer(path: path)) }
    }

    @Test("passive is offered only when it was asked for, which is for clients behind a relay (RFC 6135 section 4.2.2)")
    func passive() {
        var machine = negotiation(LocalMedia())
        #expect(!text(machine.makeOffer(localPath: ourPath)).contains("a=setup:passive"))
        machine = negotiation(LocalMedia(offeredSetup: .passive))
        #expect(text(machine.makeOffer(localPath: ourPath)).contains("a=setup:passive\r\n"))
    }
}

@Suite("Connections through middleboxes, RFC 6714")
struct CEMATests {
    private let elsewhere = "IN IP4 203.0.113.5"
    private let relayed = "msrp://203.0.113.200:9000/relay;tcp msrp://192.0.2.7:2855/peer;tcp"

    @Test("a=msrp-cema is answered when offered and not otherwise (RFC 6714 section 4.3)")
    func echoed() throws {
        #expect(try answered(offer(attributes: ["a=msrp-cema", "a=setup:actpass"])).hasCEMA)
        #expect(try !answered(offer(attributes: ["a=setup:actpass"])).hasCEMA)
    }

    @Test("active under CEMA: the c= and m= lines are connected to (RFC 6714 section 4.3)")
    func connectionLine() throws {
        let media = try examined(
            offer(port: 4000, connection: elsewhere, attributes: ["a=msrp-cema", "a=setup:passive"])
        ).get()
        #expect(media.usesCEMA && media.role == .active && media.target == .init(host: "203.0.113.5", port: 4000))
    }

    @Test("passive under CEMA: nobody is connected to, whatever c= and m= say")
    func passive() throws {
        let media = try examined(
            offer(port: 4000, connection: elsewhere, attributes: ["a=msrp-cema", "a=setup:active"])
        ).get()
        #expect(media.usesCEMA && media.role == .passive && media.target == nil)
    }

    @Test("active without CEMA: the path is connected to (RFC 4975 section 8.1)")
    func path() throws {
        let media = try examined(offer(attributes: ["a=setup:passive"])).get()
        #expect(!media.usesCEMA && media.target == .init(host: "192.0.2.7", port: 2855))
    }

    @Test(
        "c= and m= differ from the path without a=msrp-cema: 488 if we would connect (RFC 6714 section 4.3)",
        arguments: [("IN IP4 203.0.113.5", 2855), ("IN IP4 192.0.2.7", 4000), ("IN IP6 2001:db8::7", 2855)])
    func mismatch(connection: String, port: Int) throws {
        #expect(
            examined(offer(port: port, connection: connection, attributes: ["a=setup:passive"]))
                == .failure(.addressMismatch))
        for setup in ["active", "actpass"] {
            let media = try examined(offer(port: port, connection: connection, attributes: ["a=setup:\(setup)"])).get()
            #expect(media.role == .passive && !media.usesCEMA)
        }
    }

    @Test("the same address in two spellings, a name, no address and none at all do not differ (RFC 6714 section 4.4)")
    func noMismatch() throws {
        for connection in [
            "IN IP6 2001:db8:0:0:0:0:0:7", "IN IP6 2001:DB8::7", "IN IP4 client.example.com", "IN IP4 0.0.0.0", nil,
        ] {
            let offer = offer(
                connection: connection, path: "msrp://[2001:db8::7]:2855/peer;tcp", attributes: ["a=setup:passive"])
            #expect(try examined(offer).get().target == .init(host: "2001:db8::7", port: 2855), "\(connection ?? "")")
        }
        let cema = offer(connection: "IN IP4 0.0.0.0", attributes: ["a=setup:passive", "a=msrp-cema"])
        #expect(try examined(cema).get().target == .init(host: "192.0.2.7", port: 2855))
    }

    @Test("any URI of a relayed path may agree with c= and m= (RFC 4975 section 8.1, RFC 4976 section 4)")
    func relayedMatch() throws {
        for (connection, port) in [("IN IP4 203.0.113.200", 9000), ("IN IP4 192.0.2.7", 2855)] {
            let media = try examined(
                offer(port: port, connection: connection, path: relayed, attributes: ["a=setup:passive"])
            ).get()
            #expect(media.target == .init(host: "203.0.113.200", port: 9000))
        }
    }

    @Test("first fall-back: both ends use relays (RFC 6714 section 4.3, 1)")
    func bothRelayed() throws {
        let offer = offer(path: relayed, attributes: ["a=msrp-cema", "a=setup:actpass"])
        #expect(try examined(offer).get().usesCEMA)
        #expect(try !examined(offer, LocalMedia(usesRelay: true)).get().usesCEMA)
        #expect(try !answered(offer, LocalMedia(usesRelay: true)).hasCEMA)
    }

    @Test("second fall-back: the offerer uses a relay and connects (RFC 6714 section 4.3, 2)")
    func relayedOfferer() throws {
        for attributes in [["a=msrp-cema"], ["a=msrp-cema", "a=setup:active"], ["a=msrp-cema", "a=setup:holdconn"]] {
            let offer = offer(path: relayed, attributes: attributes)
            #expect(try !examined(offer).get().usesCEMA)
            #expect(try !answered(offer).hasCEMA)
        }
        let unrelayed = offer(attributes: ["a=msrp-cema", "a=setup:active"])
        #expect(try examined(unrelayed).get().usesCEMA)
    }

    @Test("third fall-back: we use a relay and the offerer is passive (RFC 6714 section 4.3, 3)")
    func relayedAnswerer() throws {
        let offer = offer(port: 4000, connection: elsewhere, attributes: ["a=msrp-cema", "a=setup:passive"])
        let media = try examined(offer, LocalMedia(usesRelay: true)).get()
        #expect(!media.usesCEMA && media.target == .init(host: "192.0.2.7", port: 2855))
    }

    @Test("behind a relay c= and m= name the relay, and we are passive (RFC 6714 section 4.3)")
    func ownRelay() throws {
        var machine = negotiation(LocalMedia(usesRelay: true))
        _ = try machine.examine(offer: offer(attributes: ["a=msrp-cema", "a=setup:actpass"]))
        let path = "msrp://203.0.113.200:9000/relay;tcp msrp://198.51.100.1:2855/ours;tcp"
        let answer = text(machine.answer(localPath: path))
        #expect(answer.contains("c=IN IP4 203.0.113.200\r\n") && answer.contains("m=message 9000 TCP/MSRP *\r\n"))
        #expect(answer.contains("a=setup:passive\r\na=msrp-cema\r\n"))
        // Without CEMA they name the end itself (RFC 4975 section 8.1).
        _ = try machine.examine(offer: offer())
        #expect(text(machine.answer(localPath: path)).contains("c=IN IP4 198.51.100.1\r\n"))
    }

    @Test("the corpus' relayed IPv6 offer: CEMA, actpass, and its odd attributes (RFC 6714 section 4.2)")
    func corpus() throws {
        let media = try examined(try Corpus.octets("sdp/relayed-cema.sdp")).get()
        #expect(media.usesCEMA && media.role == .passive && media.maxSize == .max)
        #expect(media.chatroom == ChatroomCapabilities(nicknames: true, privateMessages: true))
        #expect(media.wrappedTypes.text == "text/plain")
    }
}
