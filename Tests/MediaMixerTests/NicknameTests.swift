import MSRP
import Testing

@testable import MediaMixer

@Suite("Preparing and comparing nicknames (RFC 7700 section 2)")
struct NicknameTests {
    @Test("every kind of blank is a space, one at a time, and none at the ends (RFC 7700 section 2.1)")
    func blanks() {
        #expect(Nickname(header: "\"\u{3000}Wonder \u{A0} Woman\u{2003}\"")?.text == "Wonder Woman")
        #expect(Nickname(header: "\" \u{3000}\"") == nil)
        #expect(Nickname(header: "\"\"")?.text == "")
    }

    @Test(
        "what cannot be seen, or is no character, makes a nickname malformed (RFC 7700 section 2.1)",
        arguments: [
            "bo\u{200B}b", "bo\u{200D}b", "bo\u{AD}b", "\u{202E}bob", "b\u{85}b", "b\u{E000}b", "b\u{2028}b",
            "b\u{FFFF}",
        ])
    func invisible(name: String) {
        #expect(Nickname(header: "\"\(name)\"") == nil)
    }

    @Test(
        "two spellings of one nickname are the same (RFC 7700 section 2.4)",
        arguments: [
            ("Bob", "bOB"), ("Bob", "\u{FF22}\u{FF4F}\u{FF42}"), ("Ren\u{E9}", "RENE\u{301}"),
            ("Strasse", "Stra\u{DF}e"),
            ("\u{3A3}\u{3B9}\u{3C2}", "\u{3C3}\u{399}\u{3C3}"), ("\"two  words\"", "\"Two Words \""),
        ])
    func same(one: String, other: String) throws {
        let one = try #require(Nickname(header: one))
        let other = try #require(Nickname(header: other))
        #expect(one.key == other.key)
    }

    @Test("the nickname is shown in the letters it was asked for in (RFC 7700 section 2.3)")
    func shown() {
        #expect(Nickname(header: "\"Ren\u{E9} \u{2764}\"")?.text == "Ren\u{E9} \u{2764}")
    }

    @Test(
        "the examples of RFC 7700 section 3",
        arguments: [
            ("Foo", "foo"), ("foo", "foo"), ("Foo Bar", "foo bar"), ("foo bar", "foo bar"), ("\u{3A3}", "\u{3C3}"),
            ("\u{3C3}", "\u{3C3}"), ("\u{3C2}", "\u{3C3}"), ("\u{265A}", "\u{265A}"),
            ("Richard \u{2163}", "richard iv"),
        ])
    func examples(name: String, compared: String) throws {
        #expect(Array(try #require(Nickname(enforcing: name)).key.utf8) == Array(compared.utf8))
    }

    @Test("the rules are applied until nothing changes (RFC 8266 section 2.1, example 8)")
    func stable() throws {
        #expect(Nickname(enforcing: "\u{3D4}")?.key == "\u{3CB}")
        // A diaeresis of its own is a blank and a mark, and the blank is at an end.
        #expect(Nickname(enforcing: "\u{A8}x")?.text == "\u{308}x")
    }

    @Test("compatibility characters are what they stand for (RFC 7700 section 2.1, NFKC)")
    func compatible() throws {
        #expect(Nickname(enforcing: "Richard \u{2163}")?.text == "Richard IV")
        #expect(Nickname(enforcing: "\u{FB01}n\u{2075}")?.text == "fin5")
        #expect(Nickname(enforcing: String(repeating: "\u{FDFA}", count: 341)) == nil)
    }

    @Test(
        "case folding (RFC 7700 section 2.1)",
        arguments: [
            ("STRASSE", "stra\u{1E9E}e"), ("\u{17F}am", "SAM"), ("\u{212A}im", "KIM"), ("\u{1E9B}", "\u{1E61}"),
            ("\u{390}", "\u{399}\u{308}\u{301}"), ("\u{10D0}", "\u{1C90}"), ("\u{13F8}", "\u{13F0}"),
            ("\u{130}x", "i\u{307}X"),
        ])
    func folding(one: String, other: String) throws {
        #expect(try #require(Nickname(enforcing: one)).key == (try #require(Nickname(enforcing: other)).key))
    }

    @Test("a dotless i is another letter, though it looks like one with a dot")
    func dotless() throws {
        let (one, other) = (try #require(Nickname(enforcing: "\u{131}da")), try #require(Nickname(enforcing: "ida")))
        #expect(one.key != other.key)
        #expect(one.isLike(other))
    }

    @Test(
        "letters that are right in some places only (RFC 8264 section 4.3.2, RFC 5892 appendix A)",
        arguments: [
            ("\u{915}\u{94D}\u{200D}\u{937}", true), ("\u{645}\u{6CC}\u{200C}\u{62E}\u{648}\u{627}", true),
            ("\u{627}\u{200C}\u{62E}", false), ("a\u{200C}b", false), ("col\u{B7}lega", true), ("a\u{B7}b", false),
            ("\u{375}\u{3B1}", true), ("\u{375}a", false), ("\u{5D0}\u{5F3}", true), ("a\u{5F4}", false),
            ("\u{30A2}\u{30FB}\u{30A4}", true), ("a\u{30FB}b", false), ("\u{661}\u{662}", true),
            ("\u{661}\u{6F2}", false),
        ])
    func context(name: String, isRight: Bool) {
        #expect((Nickname(enforcing: name) != nil) == isRight)
    }

    @Test(
        "characters of no use in a name (RFC 8264 sections 4.3.3 and 9)",
        arguments: ["\u{640}", "\u{1100}\u{1161}", "\u{600}1", "\u{303B}", "x\u{FE0F}", "\u{378}"])
    func disallowed(name: String) {
        #expect(Nickname(enforcing: name) == nil)
    }

    @Test(
        "names that look the same (RFC 7701 section 7.1)",
        arguments: [
            ("BOY", "B0Y"), ("alice", "\u{430}lice"), ("Alice", "A1ice"), ("alice", "\u{430}l\u{456}\u{441}\u{435}"),
            ("bob", "\u{412}\u{41E}\u{412}"), ("NINA", "\u{39D}I\u{39D}\u{391}"), ("Bernie", "Bemie"),
            ("ren\u{E9}", "r\u{435}n\u{435}\u{301}"), ("O'Neil", "O\u{2019}Neil"), ("m\u{FC}ller", "m\u{FC}\u{4CF}ler"),
        ])
    func confusable(one: String, other: String) throws {
        let (one, other) = (try #require(Nickname(enforcing: one)), try #require(Nickname(enforcing: other)))
        #expect(one.key != other.key)
        #expect(one.isLike(other))
    }

    @Test(
        "names that only resemble each other are different",
        arguments: [("ali", "all"), ("rene", "ren\u{E9}"), ("bob", "rob")])
    func distinct(one: String, other: String) throws {
        #expect(!(try #require(Nickname(enforcing: one)).isLike(try #require(Nickname(enforcing: other)))))
    }
}
