import Testing

@testable import Payloads

@Suite("Conference information documents, RFC 4575")
struct XMLConferenceInfoTests {
    static func info(_ document: String) throws -> ConferenceInfo { try ConferenceInfo(parsing: Array(document.utf8)) }

    @Test("the basic example of RFC 4575 section 7.1 is read")
    func basicExample() throws {
        let info = try ConferenceInfo(parsing: Corpus.octets("xml-rfc/rfc4575-conference-info-01.xml"))
        #expect(info.entity == "sips:conf233@example.com" && info.state == .full && info.version == 1)
        #expect(info.description?.subject == "Agenda: This month's goals")
        #expect(info.description?.serviceURIs == [.init(uri: "http://sharepoint/salesgroup/", purpose: "web-page")])
        #expect(info.conferenceState == .init(userCount: 33) && info.others.isEmpty)
        #expect(info.users?.list.map(\.displayText) == ["Bob Hoskins", "Alice"])
        let bob = try #require(info.users?.list.first?.endpoints.first)
        #expect(bob.status == .disconnected && bob.disconnectionMethod == .departed)
        #expect(
            bob.disconnectionInfo
                == .init(when: "2005-03-04T20:00:00Z", reason: "bad voice quality", by: "sip:mike@example.com"))
        let alice = try #require(info.users?.list.last?.endpoints.first)
        #expect(alice.entity == "sip:4kfk4j392jsu@example.com;grid=433kj4j3u" && alice.joiningMethod == .dialedOut)
        #expect(alice.media.map(\.id) == ["1"] && alice.media.first?.status == .sendReceive)
    }

    @Test("the rich example of RFC 4575 section 7.2 is read, but for its sidebars")
    func richExample() throws {
        let info = try ConferenceInfo(parsing: Corpus.octets("xml-rfc/rfc4575-conference-info-02.xml"))
        #expect(info.state == .partial && info.version == 5 && info.others == ["sidebars-by-ref", "sidebars-by-val"])
        let description = try #require(info.description)
        #expect(description.keywords == ["sales", "meeting", "weekly"] && description.maximumUserCount == 100)
        #expect(description.conferenceURIs.map(\.purpose) == ["participation", "participation", "streaming"])
        #expect(description.availableMedia.map(\.label) == ["34567", "34569"])
        #expect(description.availableMedia.map(\.status) == [.sendReceive, .inactive] && description.others.isEmpty)
        #expect(info.hostInfo?.uris == [.init(uri: "sip:sales@example.com")])
        #expect(info.conferenceState == .init(userCount: 32, isActive: true, isLocked: false))
        let bob = try #require(info.users?.list.first)
        #expect(bob.roles == ["participant"] && bob.associatedAORs.first?.displayText == "email")
        #expect(
            bob.endpoints.first?.referred?.reason == "expert required" && bob.endpoints.first?.status == .disconnecting)
        #expect(
            bob.endpoints.first?.callInfo
                == .init(
                    callID: "hsjh8980vhsb78", fromTag: "vav738dvbs", toTag: "8954jgjg8432", displayText: "full info"))
    }

    @Test("nicknames are the attribute of RFC 6501 (RFC 7701 section 7.4)")
    func nicknames() throws {
        let info = try ConferenceInfo(parsing: Corpus.octets("xml-rfc/rfc7701-conference-info-01.xml"))
        #expect(info.users?.list.map(\.nickname) == ["Dopey Donkey", "Alice the great"])
        let again = try ConferenceInfo(parsing: info.xml())
        #expect(again == info)
    }

    @Test("a room's files stand where Blink reads them: resources/files/file, last in the description")
    func files() throws {
        var info = ConferenceInfo(entity: "sip:r@h", version: 1, description: .init(), users: .init([]))
        info.description?.displayText = "Lobby"
        info.description?.files = [
            .init(name: "a \"b\" & <c>.txt", hash: "sha-1:AA:BB", size: 19, sender: "sip:alice@example.org")
        ]
        let octets = info.xml()
        #expect(
            text(octets).contains(
                "<conference-description><display-text>Lobby</display-text>"
                    + "<resources xmlns=\"urn:ag-projects:xml:ns:conference-info\"><files>"
                    + "<file name=\"a &quot;b&quot; &amp; &lt;c&gt;.txt\" hash=\"sha-1:AA:BB\" size=\"19\" "
                    + "sender=\"sip:alice@example.org\" status=\"OK\"/></files></resources></conference-description>"))
        #expect(try ConferenceInfo(parsing: octets) == info)
        let prefixed = text(octets).replacing("<resources xmlns=", with: "<a:resources xmlns:a=")
            .replacing("</resources", with: "</a:resources").replacing("files>", with: "a:files>")
            .replacing("<file ", with: "<a:file ")
        #expect(try ConferenceInfo(parsing: Array(prefixed.utf8)).description?.files == info.description?.files)
        if Schema.canCheck { #expect(try Schema.conferenceInfo.complaints(about: [octets]) == "") }
    }

    /// All that the model has, with values that need care.
    static func everything() -> ConferenceInfo {
        var description = ConferenceInfo.Description()
        description.displayText = "Lobby <&> \"quoted\""
        description.subject = "\u{1}control\u{FFFE}"
        description.files = [
            .init(name: "bad\u{FFFD}.txt", hash: "sha-1:AA", size: .max, sender: "sip:x@[::1]", status: "\"")
        ]
        description.freeText = "two\nlines"
        description.keywords = ["one", "two"]
        description.conferenceURIs = [.init(uri: "sip:lobby@[::1]:5060", displayText: "here", purpose: "participation")]
        description.serviceURIs = [.init(uri: "http://[::1]:80/x y", purpose: "web-page")]
        description.maximumUserCount = 100
        description.availableMedia = [.init(label: "1", displayText: "chat", type: "message", status: .sendReceive)]
        var endpoint = ConferenceInfo.Endpoint(entity: "sip:alice@[::1]:5060;gr=x y", status: .connected)
        endpoint.displayText = "phone"
        endpoint.referred = .init(when: "2005-03-04T20:00:00Z", reason: "Reason: SIP;text=\"why\"", by: "sip:bob@h")
        endpoint.joiningMethod = .dialedIn
        endpoint.joiningInfo = .init(when: "2005-03-04T20:00:00.123Z")
        endpoint.disconnectionMethod = .booted
        endpoint.disconnectionInfo = .init(by: "sip:mike@example.com")
        endpoint.media = [.init(id: "1", type: "message", label: "1", status: .receiveOnly)]
        endpoint.callInfo = .init(callID: "a@b", fromTag: "1", toTag: "2")
        var user = ConferenceInfo.User(entity: "sip:alice@example.com", displayText: "Alice\u{0}\r\n")
        user.associatedAORs = [.init(uri: "tel:+1-201-555-0123")]
        user.roles = ["participant", "moderator"]
        user.nickname = "\"A\u{7}lice\""
        user.endpoints = [endpoint] + ConferenceInfo.Status.allCases.map { .init(entity: "\($0)", status: $0) }
        return ConferenceInfo(
            entity: "sip:lobby@[::1]:5060", version: 4_294_967_295, description: description,
            hostInfo: .init(
                displayText: "confd", webPage: "https://example.com/", uris: [.init(uri: "sip:example.com")]),
            conferenceState: .init(userCount: 1, isActive: true, isLocked: false),
            users: .init([user, .init(entity: "sip:anonymous-1@anonymous.invalid")]))
    }

    @Test("what is written is valid by the schema, control characters and IPv6 included", .enabled(if: Schema.canCheck))
    func validity() throws {
        var partial = Self.everything()
        partial.state = .partial
        partial.users?.state = .partial
        partial.users?.list[1].state = .deleted
        partial.users?.list[0].state = .partial
        partial.users?.list[0].endpoints[1].state = .deleted
        let deleted = ConferenceInfo(entity: "sip:lobby@h", state: .deleted, version: 9)
        let empty = ConferenceInfo(entity: "", description: .init(), hostInfo: .init(), conferenceState: .init())
        let wrong = ConferenceInfo(
            entity: "no uri %", users: .init([.init(entity: "é [x]")]))
        let documents = [Self.everything(), partial, deleted, empty, wrong].map { $0.xml() }
        #expect(try Schema.conferenceInfo.complaints(about: documents) == "")
    }

    @Test("what is written is read again as it was, but for characters that XML has no place for")
    func roundTrip() throws {
        var expected = Self.everything()
        expected.description?.subject = "\u{FFFD}control\u{FFFD}"
        expected.description?.serviceURIs[0].uri = "http://[::1]:80/x%20y"
        expected.users?.list[0].displayText = "Alice\u{FFFD}"
        expected.users?.list[0].nickname = "\"A\u{FFFD}lice\""
        #expect(try ConferenceInfo(parsing: Self.everything().xml()) == expected)
    }

    @Test("a document is one line, its fragments in the order of the schema")
    func octets() {
        var user = ConferenceInfo.User(entity: "sip:bob@example.com", displayText: "Bob & Co")
        user.nickname = "bob"
        var endpoint = ConferenceInfo.Endpoint(entity: "sip:bob@192.0.2.1", status: .connected)
        endpoint.joiningMethod = .dialedIn
        endpoint.media = [.init(id: "1", type: "message", status: .sendReceive)]
        user.endpoints = [endpoint]
        let document = ConferenceInfo.document(
            entity: "sip:lobby@example.com", state: .partial, version: 7,
            conferenceState: ConferenceInfo.ConferenceState(userCount: 1).xml(), usersState: .partial,
            users: [user.xml(), ConferenceInfo.User(entity: "sip:eve@example.com", state: .deleted).xml()])
        #expect(
            text(document)
                == #"<?xml version="1.0" encoding="UTF-8"?>"# + "\n"
                + compact(
                    #"""
                    <conference-info xmlns="urn:ietf:params:xml:ns:conference-info"
                     xmlns:xcon="urn:ietf:params:xml:ns:xcon-conference-info"
                     entity="sip:lobby@example.com" state="partial" version="7">
                    <conference-state><user-count>1</user-count></conference-state>
                    <users state="partial">
                    <user entity="sip:bob@example.com" state="full" xcon:nickname="bob">
                    <display-text>Bob &amp; Co</display-text>
                    <endpoint entity="sip:bob@192.0.2.1"><status>connected</status>
                    <joining-method>dialed-in</joining-method>
                    <media id="1"><type>message</type><status>sendrecv</status></media></endpoint></user>
                    <user entity="sip:eve@example.com" state="deleted"/></users></conference-info>
                    """#
                ).replacing("info\" xmlns", with: "info\" xmlns").replacing("\"xmlns", with: "\" xmlns")
                .replacing("info\"entity", with: "info\" entity"))
    }

    @Test("a full document has a description and users, whatever there is (RFC 4575 section 5.2)")
    func fullDocument() throws {
        let info = try ConferenceInfo(parsing: ConferenceInfo(entity: "sip:a@b", version: 1).xml())
        #expect(info.description == .init() && info.users == .init([]))
        let partial = try ConferenceInfo(parsing: ConferenceInfo(entity: "sip:a@b", state: .partial, version: 1).xml())
        #expect(partial.description == nil && partial.users == nil)
    }

    @Test("a moment that is none is left out, for a subscriber that validates would ignore all of the document")
    func moments() {
        var endpoint = ConferenceInfo.Endpoint(entity: "e")
        endpoint.joiningInfo = .init(when: "yesterday", reason: "r")
        var user = ConferenceInfo.User(entity: "sip:a@b")
        user.endpoints = [endpoint]
        #expect(text(user.xml()).contains("<joining-info><reason>r</reason></joining-info>"))
    }

    @Test("documents without keys, versions and states that make sense are refused")
    func unexpected() {
        let namespace = #"xmlns="urn:ietf:params:xml:ns:conference-info""#
        for (document, part) in [
            ("<conference-info \(namespace)/>", "conference-info without entity"),
            ("<conference-info \(namespace) entity='a' version='-1'/>", "version"),
            ("<conference-info \(namespace) entity='a' version='4294967296'/>", "version"),
            ("<conference-info \(namespace) entity='a' state='half'/>", "state"),
            ("<conference-info \(namespace) entity='a'><users state=''/></conference-info>", "state"),
            (
                "<conference-info \(namespace) entity='a'><users><user/></users></conference-info>",
                "user without entity"
            ),
            ("<conference-info entity='a'/>", "conference-info"), ("<users \(namespace)/>", "users"),
        ] {
            #expect(throws: XMLError.unexpected(part)) { try Self.info(document) }
        }
    }

    @Test("elements that are not known are told and otherwise passed over")
    func others() throws {
        let info = try Self.info(
            """
            <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" xmlns:x="urn:x" entity="sip:a@b" x:y="z">
            <x:first/><conference-description><x:second/><subject>s</subject><users/></conference-description>
            <users><x:user/><user entity="u" x:nickname="no"><x:endpoint/><endpoint entity="e"><status>gone</status>
            </endpoint></user></users><sidebars-by-ref/></conference-info>
            """)
        #expect(info.others == ["first", "sidebars-by-ref"] && info.description?.others == ["second", "users"])
        #expect(info.description?.subject == "s" && info.users?.list.first?.nickname == nil)
        #expect(info.users?.list.first?.endpoints == [.init(entity: "e")])
    }

    @Test("a thousand users are put together from fragments in little time")
    func manyUsers() throws {
        let users = (0..<1000).map { number in
            var user = ConferenceInfo.User(entity: "sip:user\(number)@example.com", displayText: "User \(number)")
            user.endpoints = [.init(entity: "sip:user\(number)@192.0.2.1:5060", status: .connected)]
            return user.xml()
        }
        let clock = ContinuousClock()
        var document: [UInt8] = []
        let time = clock.measure {
            for version in 1...20 {
                document = ConferenceInfo.document(
                    entity: "sip:r@h", state: .full, version: UInt32(version), users: users)
            }
        }
        #expect(time < .seconds(2))
        #expect(try ConferenceInfo(parsing: document).users?.list.count == 1000)
    }
}

@Suite("What a subscriber knows of a conference, RFC 4575 section 4.6")
struct XMLConferenceTrackerTests {
    private typealias User = ConferenceInfo.User
    private typealias Endpoint = ConferenceInfo.Endpoint

    private func document(
        _ version: UInt32?, _ state: ConferenceInfo.State = .partial, _ users: [User] = [],
        usersState: ConferenceInfo.State? = nil
    ) -> ConferenceInfo {
        ConferenceInfo(
            entity: "sip:r@h", state: state, version: version,
            users: .init(state: usersState ?? (state == .full ? .full : .partial), users))
    }

    private func user(_ name: String, _ state: ConferenceInfo.State = .full, text: String? = nil) -> User {
        User(entity: "sip:\(name)@h", state: state, displayText: text)
    }

    @Test("the first document must be full; older ones and the same again are ignored")
    func versions() {
        var tracker = ConferenceTracker()
        #expect(tracker.receive(document(1)) == .needsFullState && tracker.info == nil)
        #expect(tracker.receive(document(5, .full, [user("a")])) == .updated)
        #expect(tracker.receive(document(5, .full, [])) == .ignored)
        #expect(tracker.receive(document(4)) == .ignored)
        #expect(tracker.receive(document(6, .partial, [user("b")])) == .updated)
        #expect(tracker.info?.users?.list.map(\.entity) == ["sip:a@h", "sip:b@h"] && tracker.info?.version == 6)
    }

    @Test("a gap before a partial document asks for a full one, a gap before a full one doesn't matter")
    func gaps() {
        var tracker = ConferenceTracker()
        #expect(tracker.receive(document(1, .full, [user("a")])) == .updated)
        #expect(tracker.receive(document(3, .partial, [user("b")])) == .needsFullState)
        #expect(tracker.info?.users?.list.count == 1 && tracker.info?.version == 1)
        #expect(tracker.receive(document(nil, .partial)) == .needsFullState)
        #expect(tracker.receive(document(9, .full, [user("c")])) == .updated)
        #expect(tracker.receive(document(10, .deleted)) == .ended)
    }

    @Test("the last version is followed by none")
    func lastVersion() {
        var tracker = ConferenceTracker()
        #expect(tracker.receive(document(.max, .full)) == .updated)
        #expect(tracker.receive(document(0)) == .ignored)
    }

    @Test("full replaces, deleted removes, partial updates by key, at every depth")
    func merging() {
        var alice = user("alice", text: "Alice")
        alice.roles = ["participant"]
        alice.nickname = "al"
        var phone = Endpoint(entity: "phone", status: .pending)
        phone.media = [.init(id: "1", status: .sendReceive), .init(id: "2", type: "message")]
        phone.joiningMethod = .dialedIn
        alice.endpoints = [phone, Endpoint(entity: "desk", status: .connected), Endpoint(entity: "old")]

        var change = user("alice", .partial)
        var newPhone = Endpoint(entity: "phone", state: .partial, status: .connected)
        newPhone.media = [.init(id: "1", status: .receiveOnly), .init(id: "3")]
        change.endpoints = [
            newPhone, Endpoint(entity: "desk", state: .full), Endpoint(entity: "old", state: .deleted),
            Endpoint(entity: "new", state: .partial, status: .alerting),
        ]
        let before = document(1, .full, [alice, user("bob", text: "Bob"), user("carol")])
        let after = before.applying(
            document(
                2, .partial,
                [change, user("bob"), user("carol", .deleted), user("dave", .partial), user("eve", .deleted)]))

        #expect(after.users?.list.map(\.entity) == ["sip:alice@h", "sip:bob@h", "sip:dave@h"])
        #expect(after.users?.state == .full && after.users?.list.allSatisfy { $0.state == .full } == true)
        let now = after.users?.list.first
        #expect(now?.displayText == "Alice" && now?.roles == ["participant"] && now?.nickname == "al")
        #expect(now?.endpoints.map(\.entity) == ["phone", "desk", "new"])
        #expect(now?.endpoints.map(\.status) == [.connected, nil, .alerting])
        #expect(now?.endpoints.first?.joiningMethod == .dialedIn)
        #expect(now?.endpoints.first?.media.map(\.id) == ["1", "2", "3"])
        #expect(now?.endpoints.first?.media.first?.status == .receiveOnly)
        #expect(after.users?.list[1].displayText == nil, "a full user replaces all that was known")
    }

    @Test("elements without a state of their own are replaced as a whole")
    func atomic() {
        var before = document(1, .full)
        before.description = .init()
        before.description?.subject = "old"
        before.description?.displayText = "Lobby"
        before.conferenceState = .init(userCount: 1, isActive: true)
        var update = ConferenceInfo(
            entity: "sip:r@h", state: .partial, version: 2, conferenceState: .init(userCount: 2))
        #expect(before.applying(update).conferenceState == .init(userCount: 2))
        #expect(before.applying(update).description?.subject == "old" && before.applying(update).users != nil)
        update.description = .init()
        update.description?.subject = "new"
        #expect(before.applying(update).description?.displayText == nil)
        update.users = .init(state: .full, [user("z")])
        #expect(before.applying(update).users?.list.count == 1)
        update.users = .init(state: .deleted, [])
        #expect(before.applying(update).users == nil)
    }
}
