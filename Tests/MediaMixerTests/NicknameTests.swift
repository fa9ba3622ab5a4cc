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
}
