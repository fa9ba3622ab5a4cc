import Client
import Foundation
import Payloads
import SIP
import Testing

@Suite("Who is in the room, as a chat tells it")
struct ChatRosterTests {
    private func partial(_ version: Int, _ users: String) -> [UInt8] { document(version, "partial", nil, users) }

    private func full(_ version: Int, subject: String? = nil, _ users: String) -> [UInt8] {
        document(version, "full", subject, users)
    }

    private func document(_ version: Int, _ state: String, _ subject: String?, _ users: String) -> [UInt8] {
        let description =
            subject.map { "<conference-description><subject>\($0)</subject></conference-description>" } ?? ""
        return Array(
            """
            <conference-info xmlns="urn:ietf:params:xml:ns:conference-info"
             xmlns:xcon="urn:ietf:params:xml:ns:xcon-conference-info" entity="sip:r@h" state="\(state)"
             version="\(version)">\(description)<users state="\(state)">\(users)</users></conference-info>
            """.utf8)
    }

    private func user(_ name: String, _ status: String = "connected", _ more: String = "", nickname: String? = nil)
        -> String
    {
        "<user entity='sip:\(name)@h'" + (nickname.map { " xcon:nickname='\($0)'" } ?? "")
            + "><endpoint entity='e'><status>\(status)</status>\(more)</endpoint></user>"
    }

    /// The change as a word and a name.
    private func words(_ outcome: ChatRoster.Outcome) -> [String] {
        guard case .changed(let changes) = outcome else { return ["\(outcome)"] }
        return changes.map {
            switch $0 {
            case .arrived(let person): "arrived \(person.name)"
            case .left(let person, let how): "\(how) \(person.name)"
            case .expected(let person): "expected \(person.name)"
            case .notReached(let person, let how): "not reached \(person.name) \(how)"
            case .renamed(let person, let old): "renamed \(old) \(person.name)"
            case .subject(let text): "subject \(text)"
            case .title(let text): "title \(text)"
            }
        }
    }

    @Test("the first document is a list, later ones are changes (RFC 4575 section 4.6)")
    func changes() {
        var roster = ChatRoster()
        #expect(!roster.isKnown)
        #expect(roster.receive(partial(1, user("early"))) == .incomplete)
        #expect(roster.receive(full(2, user("alice") + user("bob", "dialing-out"))) == .first)
        #expect(roster.present.map(\.name) == ["alice"] && roster.people.count == 2 && roster.isKnown)
        #expect(words(roster.receive(partial(3, user("carol")))) == ["arrived carol"])
        #expect(words(roster.receive(partial(4, user("bob", "alerting")))) == ["expected bob"])
        #expect(words(roster.receive(partial(5, user("bob")))) == ["arrived bob"])
        #expect(words(roster.receive(partial(6, user("bob", "on-hold")))) == [])
        #expect(roster.present.count == 3)
        #expect(roster.receive(partial(6, user("dave"))) == .ignored)
        #expect(roster.receive(partial(8, user("dave"))) == .incomplete)
        #expect(
            words(roster.receive(full(9, subject: "news", user("carol")))) == [
                "departed alice", "departed bob", "subject news",
            ])
        #expect(roster.receive(document(10, "deleted", nil, "")) == .ended)
        #expect(roster.receive(Array("<!DOCTYPE x><x/>".utf8)) == .ignored)
    }

    @Test("who leaves, was removed, or could not be reached")
    func departures() {
        var roster = ChatRoster()
        #expect(
            roster.receive(
                full(1, user("a") + user("b") + user("c") + user("d", "alerting") + user("e", "pending")))
                == .first)
        let ended = { (method: String) in "<disconnection-method>\(method)</disconnection-method>" }
        #expect(words(roster.receive(partial(2, "<user entity='sip:a@h' state='deleted'/>"))) == ["departed a"])
        #expect(words(roster.receive(partial(3, user("b", "disconnected", ended("booted"))))) == ["booted b"])
        #expect(words(roster.receive(partial(4, "<user entity='sip:b@h' state='deleted'/>"))) == [])
        #expect(words(roster.receive(partial(5, user("c", "disconnected")))) == ["departed c"])
        #expect(words(roster.receive(partial(6, user("d", "disconnected", ended("busy"))))) == ["not reached d busy"])
        #expect(
            words(roster.receive(partial(7, user("e", "disconnected", ended("failed"))))) == ["not reached e failed"])
        #expect(roster.present.isEmpty)
    }

    @Test("a user of two devices is here as long as one of them is")
    func devices() {
        let second = { (first: String, second: String) in
            "<user entity='sip:a@h'><endpoint entity='1'><status>\(first)</status></endpoint>"
                + "<endpoint entity='2'><status>\(second)</status></endpoint></user>"
        }
        var roster = ChatRoster()
        #expect(roster.receive(full(1, second("connected", "connected"))) == .first)
        #expect(words(roster.receive(partial(2, second("disconnected", "connected")))) == [])
        #expect(words(roster.receive(partial(3, second("disconnected", "disconnected")))) == ["departed a"])
    }

    @Test("names: the nickname, the display text, the user part; none can steer a terminal")
    func names() {
        var roster = ChatRoster()
        let users =
            user("a", nickname: "Al") + "<user entity='sip:b@h'><display-text>B&#x9B;ob&#x2028;</display-text></user>"
        #expect(roster.receive(full(1, users + "<user entity='mailto:c'/>")) == .first)
        #expect(roster.present.map(\.name) == ["Al", "Bob", "mailto:c"])
        #expect(words(roster.receive(partial(2, user("a", nickname: "Ali")))) == ["renamed Al Ali"])
    }

    @Test("the title is told when it changes")
    func title() {
        func titled(_ version: Int, _ title: String) -> [UInt8] {
            Array(
                """
                <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:r@h" state="full"
                 version="\(version)"><conference-description><display-text>\(title)</display-text>
                </conference-description><users state="full"/></conference-info>
                """.utf8)
        }
        var roster = ChatRoster()
        #expect(roster.receive(titled(1, "Lobby")) == .first && roster.title == "Lobby")
        #expect(words(roster.receive(titled(2, "Hall &#x9B;2"))) == ["title Hall 2"])
    }

    @Test("somebody is found by nickname, name, address or user part; who is meant must be clear")
    func find() throws {
        var roster = ChatRoster()
        let users =
            user("alice", nickname: "Al") + user("bob", nickname: "Alice")
            + "<user entity='sip:carol@h'><display-text>Carol C</display-text></user>"
            + user("dave", "disconnected") + "<user entity='sip:anonymous-1@anonymous.invalid'/>"
        #expect(roster.receive(full(1, users)) == .first)
        func found(_ who: String) -> [String] {
            switch roster.find(who) {
            case .none: []
            case .one(let person): [person.uri]
            case .several(let people): people.map(\.uri)
            }
        }
        #expect(found("Al") == ["sip:alice@h"] && found("al") == ["sip:alice@h"])
        // As it is written it is the nickname of one, in other letters the user part of another.
        #expect(found("Alice") == ["sip:bob@h"] && found("alice") == ["sip:alice@h"])
        #expect(found("ALICE") == ["sip:alice@h", "sip:bob@h"])
        #expect(found("carol c") == ["sip:carol@h"] && found("carol@h") == ["sip:carol@h"])
        #expect(found("sip:carol@h:5070;transport=tcp") == ["sip:carol@h"])
        #expect(found("dave") == [] && found("eve") == [])
        #expect(found("sip:anonymous-1@anonymous.invalid") == ["sip:anonymous-1@anonymous.invalid"])
        let al = try #require(roster.person(at: "sip:alice@h:5060"))
        #expect(al.name == "Al")
    }

    @Test("files that the roster lists (urn:ag-projects:xml:ns:conference-info)")
    func files() throws {
        let extra = """
            <ag:resources xmlns:ag="urn:ag-projects:xml:ns:conference-info"><ag:files>
            <ag:file name="a.txt" hash="sha-1:\(ChatTextTests.sha1)" size="6" sender="sip:alice@h" status="OK"/>
            <ag:file name="b.txt" hash="md5:00" size="6" sender="sip:alice@h" status="OK"/></ag:files></ag:resources>
            """
        let text = """
            <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:r@h" state="full" version="1">
            <conference-description>\(extra)</conference-description><users state="full"/></conference-info>
            """
        var roster = ChatRoster()
        #expect(roster.receive(Array(text.utf8)) == .first)
        let file = try #require(roster.files.first)
        #expect(roster.files.count == 1 && file.name == "a.txt" && file.size == 6 && file.sender == "sip:alice@h")
        #expect(file.bestHash?.hash == .sha1 && file.bestHash?.digest == Array(repeating: 0xAB, count: 20))
    }

    @Test("a list for people and one for programs")
    func lists() throws {
        var roster = ChatRoster()
        let roles =
            "<user entity='sip:b@h'><display-text>Bob</display-text><roles><entry>participant</entry>"
            + "<entry>moderator</entry></roles><endpoint entity='1'><status>on-hold</status></endpoint></user>"
        #expect(
            roster.receive(full(1, subject: "a \"b\"", user("a") + roles + user("gone", "disconnected")))
                == .first)
        let printer = ChatPrinter(style: .json)
        #expect(
            roster.people.map { printer.line(for: $0) } == [
                "a, sip:a@h", "Bob, sip:b@h, moderator, on-hold", "gone, sip:gone@h, disconnected",
            ])
        let line = printer.participants(roster, of: SIPURI(user: "r", host: "h"))
        #expect(line.hasSuffix("}\n") && line.dropLast().allSatisfy { !$0.isNewline })
        let object = try #require(try JSONSerialization.jsonObject(with: Data(line.utf8)) as? [String: Any])
        #expect(object["room"] as? String == "sip:r@h" && object["subject"] as? String == "a \"b\"")
        let people = try #require(object["participants"] as? [[String: Any]])
        #expect(people.map { $0["uri"] as? String } == ["sip:a@h", "sip:b@h"])
        #expect(people.map { $0["status"] as? String } == ["connected", "on-hold"])
        #expect(people.last?["roles"] as? [String] == ["moderator"] && people.last?["name"] as? String == "Bob")
    }
}

@Suite("A chat's subscription, RFC 6665 section 4.1")
struct ChatSubscriptionTests {
    private func state(_ text: String) throws -> SubscriptionState { try #require(SubscriptionState(parsing: text)) }

    @Test("subscribes, and again well before it runs out; only the last timer counts")
    func refresh() throws {
        var subscription = ChatSubscription()
        #expect(subscription.due(1) == .nothing && !subscription.isActive)
        #expect(subscription.start() == .subscribe(expires: 3600))
        #expect(subscription.answered(200, expires: 600, minimum: nil) == .wait(seconds: 540, number: 1))
        #expect(try subscription.notified(state("active;expires=600")) == .nothing)
        #expect(subscription.due(1) == .subscribe(expires: 3600))
        #expect(subscription.answered(200, expires: 100, minimum: nil) == .wait(seconds: 50, number: 2))
        #expect(subscription.incomplete() == .subscribe(expires: 3600))
        #expect(subscription.answered(202, expires: 0, minimum: nil) == .wait(seconds: 1, number: 3))
        #expect(subscription.due(2) == .nothing && subscription.due(3) == .subscribe(expires: 3600))
        #expect(subscription.answered(200, expires: 99_999_999, minimum: nil) == .wait(seconds: 3540, number: 4))
    }

    @Test("423 is obeyed, within reason (RFC 6665 section 4.1.2.1)")
    func tooBrief() {
        var subscription = ChatSubscription()
        _ = subscription.start()
        #expect(subscription.answered(423, expires: nil, minimum: 7200) == .subscribe(expires: 7200))
        #expect(subscription.answered(423, expires: nil, minimum: 7200) == .over("423"))
        #expect(subscription.isOver && subscription.start() == .nothing)
    }

    @Test("a refusal is the end of it", arguments: [403, 481, 489, 503])
    func refused(status: Int) {
        var subscription = ChatSubscription()
        _ = subscription.start()
        #expect(subscription.answered(status, expires: nil, minimum: nil) == .over("\(status)"))
        #expect(subscription.incomplete() == .nothing && subscription.due(1) == .nothing)
    }

    @Test("what its end asks for (RFC 6665 section 4.1.3)")
    func ends() throws {
        for (text, action) in [
            ("terminated;reason=rejected", ChatSubscription.Action.over("rejected")),
            ("terminated;reason=noresource", .over("noresource")), ("terminated", .subscribe(expires: 3600)),
            ("terminated;reason=deactivated", .subscribe(expires: 3600)),
            ("terminated;reason=timeout", .subscribe(expires: 3600)),
            ("terminated;reason=giveup;retry-after=7", .wait(seconds: 7, number: 1)),
            ("terminated;reason=probation", .wait(seconds: 30, number: 1)),
            ("terminated;reason=probation;retry-after=999999", .wait(seconds: 3600, number: 1)),
            ("pending", .nothing), ("ACTIVE;expires=1", .nothing),
        ] {
            var subscription = ChatSubscription()
            _ = subscription.start()
            #expect(try subscription.notified(state(text)) == action, "\(text)")
        }
    }

    @Test("a server that ends every subscription at once is not asked for ever")
    func bounded() throws {
        var subscription = ChatSubscription()
        _ = subscription.start()
        let ended = try state("terminated;reason=timeout")
        #expect(subscription.notified(ended) == .subscribe(expires: 3600))
        #expect(try subscription.notified(state("active")) == .nothing)
        #expect(subscription.notified(ended) == .subscribe(expires: 3600))
        #expect(subscription.notified(ended) == .subscribe(expires: 3600))
        #expect(subscription.notified(ended) == .over("timeout"))
    }
}

@Suite("People to be invited along with a call")
struct InvitationListTests {
    private func recipients(_ addresses: [String] = [], _ file: String? = nil) throws -> [String]? {
        try InvitationList.make(addresses: addresses, file: file.map { Array($0.utf8) }, domain: "h")?
            .flattened(maximum: 1000).recipients.map(\.uri)
    }

    @Test("addresses, a text with one a line, or a resource list (RFC 4826)")
    func sources() throws {
        #expect(try recipients() == nil && recipients([], "# nobody\n\n") == nil)
        #expect(
            try recipients(["bob", "carol@x", "sip:dave@y:5070;transport=tcp", "tel:+1"]) == [
                "sip:bob@h", "sip:carol@x", "sip:dave@y:5070;transport=tcp", "tel:+1",
            ])
        #expect(try recipients(["bob"], "sip:eve@x\r\n # a comment\n\tbob@h \n") == ["sip:bob@h", "sip:eve@x"])
        #expect(
            try recipients(
                ["bob"],
                "\n<resource-lists xmlns='urn:ietf:params:xml:ns:resource-lists'><list><entry uri='sip:a@b'/></list></resource-lists>"
            ) == ["sip:a@b", "sip:bob@h"])
    }

    @Test(
        "what is none of these is a mistake of the command line", arguments: ["a b@h", "<sip:x@y>", "sip:", "@", ":"])
    func wrong(address: String) {
        #expect(throws: ClientError.self) { try recipients([address]) }
        #expect(throws: ClientError.self) { try recipients([], "<list/>") }
    }

    @Test("no more than a call can carry")
    func bounded() throws {
        #expect(try recipients((0..<1000).map { "u\($0)" })?.count == 1000)
        #expect(throws: ClientError.self) { try recipients((0..<1001).map { "u\($0)" }) }
    }
}
