import Client
import Testing

@Suite("Typing, told and seen (RFC 3994)")
struct ChatTypingTests {
    @Test("RFC 3994 3.2: active at the first key and before it runs out, idle after a pause")
    func telling() {
        var teller = TypingTeller()
        #expect(teller.typed(isEmpty: false, now: 100) == .active && teller.isTyping)
        #expect(teller.typed(isEmpty: false, now: 130) == nil)
        #expect(teller.tick(now: 140) == nil)
        #expect(teller.typed(isEmpty: false, now: 160) == .active)
        #expect(teller.tick(now: 174) == nil && teller.tick(now: 175) == .idle && teller.tick(now: 176) == nil)
        #expect(teller.typed(isEmpty: false, now: 180) == .active)
        #expect(teller.typed(isEmpty: true, now: 181) == .idle && teller.typed(isEmpty: true, now: 182) == nil)
        #expect(teller.typed(isEmpty: false, now: 183) == .active)
        teller.said()
        #expect(!teller.isTyping && teller.tick(now: 1000) == nil)
    }

    @Test("RFC 3994 3.3: who is typing is so until idle, a message, or the end of the refresh time")
    func seeing() {
        var watch = TypingWatch()
        func active(_ name: String, refresh: Int? = nil, at now: Double) {
            watch.received(isActive: true, from: "sip:\(name)@h", name: name, refresh: refresh, now: now)
        }
        active("bob", at: 0)
        #expect(watch.text == "… bob is typing")
        active("carol", refresh: 60, at: 0)
        #expect(watch.text == "… bob and carol are typing")
        active("dave", refresh: 99_999_999, at: 0)
        #expect(watch.text == "… 3 people are typing")
        watch.tick(now: 61)
        #expect(watch.names == ["bob", "dave"])
        active("bob", at: 100)
        watch.tick(now: 121)
        #expect(watch.names == ["dave", "bob"])
        watch.said("sip:bob@h")
        watch.tick(now: 601)
        #expect(watch.text == nil)
        active("bob", at: 700)
        watch.received(isActive: false, from: "sip:bob@h", name: "bob", refresh: nil, now: 701)
        #expect(watch.text == nil)
        for number in 0..<100 { active("p\(number)", at: 800) }
        #expect(watch.names.count == 32)
    }

    @Test("the document is read as written, and others' too; what is none is none")
    func documents() {
        for notice in [TypingNotice(isActive: true, refresh: 90), TypingNotice(isActive: false)] {
            #expect(TypingNotice(parsing: Array(notice.document.utf8)) == notice)
        }
        let other = """
            <isComposing xmlns="urn:ietf:params:xml:ns:im-iscomposing" xmlns:x="urn:x"><x:y/><state> active </state>
            <lastactive>2003-01-27T10:43:00Z</lastactive><refresh>x</refresh></isComposing>
            """
        #expect(TypingNotice(parsing: Array(other.utf8)) == TypingNotice(isActive: true))
        for text in ["", "<x/>", "<isComposing xmlns=\"urn:ietf:params:xml:ns:im-iscomposing\"/>"] {
            #expect(TypingNotice(parsing: Array(text.utf8)) == nil)
        }
    }
}
