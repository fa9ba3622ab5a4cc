import MediaMixer
import SIP
import Testing

@testable import Focus

/// Documents as clients publish them.
enum Published {
    static func document(_ inner: String, entity: String = "sip:lobby@example.com") -> MessageBody {
        let xml = """
            <?xml version="1.0" encoding="UTF-8"?>
            <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="\(entity)">\(inner)</conference-info>
            """
        return MessageBody(contentType: "application/conference-info+xml", content: Array(xml.utf8))
    }

    static func description(_ inner: String) -> MessageBody {
        document("<conference-description>\(inner)</conference-description>")
    }
}

@Suite("What a PUBLISH says")
struct PublishRequestTests {
    private func read(
        _ headers: [String: String] = [:], _ body: MessageBody? = Published.description("<subject>Tea</subject>")
    ) throws(Rejection) -> PublishRequest {
        try PublishRequest(
            .make("PUBLISH", "sip:lobby@example.com", headers: headers, body: body), NotifyConfiguration())
    }

    private func status(_ headers: [String: String] = [:], _ body: MessageBody? = Published.description("")) -> Int {
        do throws(Rejection) {
            _ = try read(headers, body)
            return 200
        } catch {
            return error.status
        }
    }

    @Test("title, subject, free text and keywords, and what isn't said")
    func words() throws {
        let words = try #require(
            try read(
                [:],
                Published.description(
                    "<display-text>The lobby</display-text><subject/><keywords> tea  cake </keywords>")
            ).words)
        #expect(words.title == "The lobby")
        #expect(words.subject == "")
        #expect(words.freeText == nil)
        #expect(words.keywords == ["tea", "cake"])
    }

    @Test(
        "whatever else somebody wants to change is 403",
        arguments: [
            "<users><user entity='sip:x@example.com'/></users>",
            "<conference-description><subject>x</subject></conference-description><users/>",
            "<conference-description/><conference-state><locked>true</locked></conference-state>",
            "<conference-description/><host-info><display-text>x</display-text></host-info>",
            "<conference-description><maximum-user-count>9</maximum-user-count></conference-description>",
            "<conference-description><conf-uris><entry><uri>sip:x@h</uri></entry></conf-uris></conference-description>",
            "<conference-description><x:y xmlns:x='urn:x'>1</x:y></conference-description>", "",
        ])
    func other(inner: String) {
        #expect(status([:], Published.document(inner)) == 403)
    }

    @Test("RFC 3903 6, step 5: bodies that are none, or of another kind")
    func bodies() {
        #expect(status([:], nil) == 400)
        #expect(status(["SIP-If-Match": "x"], nil) == 200)
        #expect(status([:], MessageBody(sdp: "v=0")) == 415)
        #expect(status(["Content-Encoding": "gzip"]) == 415)
        #expect(
            status([:], MessageBody(contentType: "application/conference-info+xml", content: Array("<a".utf8))) == 400)
        let long = Published.description("<subject>\(String(repeating: "x", count: 20_000))</subject>")
        #expect(status([:], long) == 413)
    }

    @Test("hostile XML is 400")
    func hostile() {
        let laughs = """
            <!DOCTYPE x [<!ENTITY a "ha"><!ENTITY b "&a;&a;&a;">]>
            <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="sip:lobby@example.com">
            <conference-description><subject>&b;</subject></conference-description></conference-info>
            """
        let body = MessageBody(contentType: "application/conference-info+xml", content: Array(laughs.utf8))
        #expect(status([:], body) == 400)
    }

    @Test("RFC 3903 6, steps 3 and 4: preconditions and times")
    func headers() throws {
        #expect(try read().tag == nil)
        #expect(try read().expiry == 3600)
        #expect(try read(["SIP-If-Match": "abc", "Expires": "60"]).tag == "abc")
        #expect(status(["SIP-If-Match": "a, b"]) == 400)
        #expect(status(["Expires": "3"]) == 423)
        #expect(status(["Expires": "never"]) == 400)
        #expect(status(["Require": "x"]) == 420)
    }

    @Test("texts are cut at their limit, and hold no control characters")
    func cut() throws {
        var words = try RoomWords(Published.description("<subject>caf\u{e9}s</subject>").content, longest: 4)
        #expect(words.subject == "caf")
        words = try RoomWords(Published.description("<keywords>ab cd ef</keywords>").content, longest: 6)
        #expect(words.keywords == ["ab", "cd"])
    }
}

@Suite("Publications")
struct PublicationBookTests {
    private let room = RoomAddress(user: "lobby", domain: "example.com")
    private let start = ContinuousClock.now
    private var condition = RoomCondition()
    private var book = PublicationBook()
    private var lastTag = 0

    private func words(_ subject: String?, title: String? = nil) -> RoomWords {
        var words = RoomWords(entity: "sip:lobby@example.com")
        words.subject = subject
        words.title = title
        return words
    }

    private mutating func publish(
        _ words: RoomWords?, tag: String? = nil, expiry: Int = 600, account: String = "alice@example.org",
        at time: Int = 0
    ) -> PublicationBook.OnRequest {
        lastTag += 1
        let outcome = book.handle(
            PublishRequest(tag: tag, expiry: expiry, words: words), of: account, in: room, newTag: "t\(lastTag)",
            condition: condition, most: 2, now: start + .seconds(time))
        if case .accepted(_, .say(let words)) = outcome { words.apply(to: &condition) }
        if case .accepted(_, .takeBack(let words, let before)) = outcome { words.revert(to: before, in: &condition) }
        return outcome
    }

    @Test("RFC 3903 6: published, modified, refreshed, each with a new entity-tag; then removed")
    mutating func life() {
        condition.subject = "Old"
        #expect(publish(words("Tea")) == .accepted(tag: "t1", .say(words("Tea"))))
        #expect(condition.subject == "Tea")
        #expect(publish(words("Cake"), tag: "t1") == .accepted(tag: "t2", .say(words("Cake"))))
        #expect(publish(nil, tag: "t2", at: 500) == .accepted(tag: "t3", .none))
        #expect(book.expired(now: start + .seconds(700)).due.isEmpty)
        #expect(
            publish(nil, tag: "t3", expiry: 0) == .accepted(tag: "t4", .takeBack(words("Cake"), before: words("Old"))))
        #expect(condition.subject == "Old")
        #expect(book.count == 0)
    }

    @Test("RFC 3903 6, step 3: 412 for a tag that nobody has, or has no more, or somebody else has")
    mutating func unknown() {
        _ = publish(words("Tea"))
        #expect(publish(nil, tag: "x") == .refused(.noSuchPublication))
        #expect(publish(nil, tag: "t1", account: "bob@example.org") == .refused(.noSuchPublication))
        _ = publish(words("Cake"), tag: "t1")
        #expect(publish(nil, tag: "t1") == .refused(.noSuchPublication))
        #expect(publish(nil, tag: "t4", at: 600) == .refused(.noSuchPublication))
    }

    @Test("what expires is given back once")
    mutating func expiry() throws {
        _ = publish(words("Tea"))
        _ = publish(words(nil, title: "Lobby"), expiry: 60)
        let (due, next) = book.expired(now: start + .seconds(60))
        #expect(due.map(\.1.words) == [words(nil, title: "Lobby")])
        #expect(next == start + .seconds(600))
        #expect(book.expired(now: start + .seconds(61)).due.isEmpty)
    }

    @Test("what somebody else has said since is not taken back")
    mutating func overtaken() {
        _ = publish(words("Tea", title: "Lobby"))
        condition.subject = "Cake"
        _ = publish(nil, tag: "t1", expiry: 0)
        #expect(condition.subject == "Cake")
        #expect(condition.title == nil)
    }

    @Test("RFC 3903 6, step 5: Expires 0 stores nothing")
    mutating func nothingStored() {
        #expect(publish(words("Tea"), expiry: 0) == .accepted(tag: "t1", .none))
        #expect(book.count == 0)
    }

    @Test("publications of a room are bounded")
    mutating func bounded() {
        _ = publish(words("a"))
        _ = publish(words("b"))
        #expect(publish(words("c")) == .refused(.limit("maximumPublicationsPerRoom")))
        book.forget(room)
        #expect(book.count == 0)
    }
}
