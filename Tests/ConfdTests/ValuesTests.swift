import Testing

@testable import confd

@Suite("Option values")
struct ValuesTests {
    private let context = ValueContext(folder: "/etc", isReadable: { $0 == "/etc/a" })

    @Test(
        "sizes have binary and decimal units",
        arguments: [
            ("1", 1), ("2 KiB", 2048), ("3mib", 3 << 20), ("1 GiB", 1 << 30), ("5 kB", 5000), ("6 MB", 6_000_000),
        ])
    func sizes(text: String, bytes: Int) throws {
        #expect(try Values.size(1...Int.max)(text[...], context) == bytes)
    }

    @Test(
        "sizes out of bounds say the bounds",
        arguments: ["9 MiB", "1", "99999999999999999 GiB", "9223372036854775807 kB"])
    func sizeBounds(text: String) {
        #expect(throws: ValueError("'\(text)' is out of bounds: 1 KiB to 1 MiB")) {
            try Values.size(1024...(1 << 20))(text[...], context)
        }
    }

    @Test(
        "durations have units, seconds without",
        arguments: [
            ("30", Duration.seconds(30)), ("30 s", .seconds(30)), ("500ms", .milliseconds(500)),
            ("5 min", .seconds(300)),
            ("2 h", .seconds(7200)),
        ])
    func durations(text: String, duration: Duration) throws {
        #expect(try Values.duration(.zero ... .seconds(10_000))(text[...], context) == duration)
    }

    @Test("what isn't a duration is refused", arguments: ["", "s", "-1 s", "1.5 s", "1 week", "٣ s"])
    func noDurations(text: String) {
        #expect(throws: ValueError.self) { try Values.duration(.zero ... .seconds(10))(text[...], context) }
    }

    @Test("booleans are Yes, No, True, False, On, Off, 1, 0 in any case")
    func booleans() throws {
        for text in ["Yes", "TRUE", "on", "1"] { #expect(try Values.boolean(text[...], context)) }
        for text in ["no", "False", "OFF", "0"] { #expect(try !Values.boolean(text[...], context)) }
        #expect(throws: ValueError("'ja' is neither Yes nor No")) { try Values.boolean("ja", context) }
    }

    @Test(
        "what isn't an address to listen on is refused",
        arguments: [
            "", ",", "udp", "udp:", "sctp:1.2.3.4:5", "udp:1.2.3.4:65536", "udp:1.2.3.4:x", "udp:[::1", "udp:[a]:1",
            "udp:::1:5060", "udp:a b:1", "udp:1.2.3.4:5, udp:1.2.3.4:5", "udp::5060",
        ])
    func listen(text: String) {
        #expect(throws: ValueError.self) { try Values.listen(text[...], context) }
    }

    @Test("domains are kept in lower case; ports and URIs are refused")
    func domains() throws {
        #expect(
            try Values.domains("A.example , 10.0.0.1,[FE80::1],::1", context) == [
                "a.example", "10.0.0.1", "fe80::1", "::1",
            ])
        for text in ["sip:a", "a:5060", "a@b", "a;b"] {
            #expect(throws: ValueError.self) { try Values.domains(text[...], context) }
        }
    }

    @Test("files are looked for in the folder of the configuration file")
    func files() throws {
        #expect(try Values.file("a", context) == "/etc/a")
        #expect(throws: ValueError("file '/b' not found")) { try Values.file("/b", context) }
    }

    @Test("the nearest name is suggested, and none when nothing is near")
    func suggestions() {
        let names = ["listen", "advertise", "domains"]
        #expect(Suggestion.nearest(to: "lsiten", in: names) == "listen")
        #expect(Suggestion.nearest(to: "Domain", in: names) == "domains")
        #expect(Suggestion.nearest(to: "certificate", in: names) == nil)
        #expect(Suggestion.distance("ab", "ba") == 1)
        #expect(Suggestion.distance("", "abc") == 3)
    }
}
