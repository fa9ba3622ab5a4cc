import MSRP
import NIOCore
import Testing

@Suite("URIs, paths and identifiers")
struct ValueTests {
    @Test(
        "RFC 4975 section 9: URIs print as they were read",
        arguments: [
            "msrp://host.example.com:8493/asfd34;tcp", "msrps://alice@intra.example.com;tcp",
            "msrp://[2001:db8::1]:2855/s.111;tcp", "msrp://10.0.0.1:2855/a+b=c/d;tcp;foo=bar;baz",
            "msrps://df7jal23ls0d.invalid:2855/98cjs;ws", "msrp://127.0.0.1:2855;tcp",
        ])
    func roundTrip(text: String) throws {
        let uri = try #require(URI(text))
        #expect(uri.description == text)
        #expect(URI(uri.description) == uri)
    }

    @Test(
        "what is no MSRP URI is refused",
        arguments: [
            "", "msrp", "msrp:", "msrp://", "msrp://;tcp", "msrp://host", "msrp://host:1/x", "msrp://host:1/x;",
            "msrp://host:1/;tcp",
            "sip:alice@host;tcp", "http://host/x;tcp", "msrp://host:65536/x;tcp",
            "msrp://host:99999999999999999999/x;tcp",
            "msrp://host:/x;tcp", "msrp://ho st:1/x;tcp", "msrp://[::1:1/x;tcp", "msrp://[::1]x:1/x;tcp",
            "msrp://[]:1/x;tcp",
            "msrp://host:1/x\0;tcp", "msrp://host:1/x;t cp", "msrp:// host:1/x;tcp", "msrp://h\u{F6}st:1/x;tcp",
        ])
    func malformed(text: String) {
        #expect(URI(text) == nil)
    }

    @Test(
        "RFC 4975 section 6.1: equivalence",
        arguments: [
            ("msrp://Host.Example.com:1/x;tcp", "MSRP://host.example.COM:1/x;TCP", true),
            ("msrp://host:1/x;tcp", "msrps://host:1/x;tcp", false),
            ("msrp://host:1/x;tcp", "msrp://host:1/X;tcp", false),
            ("msrp://host:1/x;tcp", "msrp://host:2/x;tcp", false),
            ("msrp://host:2855/x;tcp", "msrp://host/x;tcp", false),
            ("msrp://host:1/x;tcp", "msrp://host:1;tcp", false),
            ("msrp://host:1/x;tcp", "msrp://host:1/x;ws", false),
            ("msrp://alice@host:1/x;tcp", "msrp://bob@host:1/x;tcp", true),
            ("msrp://h%6Fst:1/x;tcp", "msrp://host:1/x;tcp", true),
            ("msrp://[2001:DB8:0:0::1]:1/x;tcp", "msrp://[2001:db8::1]:1/x;tcp", true),
            ("msrp://[2001:db8::1]:1/x;tcp", "msrp://[2001:db8::2]:1/x;tcp", false),
        ])
    func equivalence(a: String, b: String, same: Bool) throws {
        let (a, b) = (try #require(URI(a)), try #require(URI(b)))
        #expect(a.isEquivalent(to: b) == same)
        #expect(b.isEquivalent(to: a) == same)
    }

    @Test("the session key is what follows the last slash")
    func sessionKey() {
        #expect(URI("msrp://h:1/abc;tcp")?.sessionKey == "abc")
        #expect(URI("msrp://h:1/a/b/c;tcp")?.sessionKey == "c")
        #expect(URI("msrp://h:1;tcp")?.sessionKey == nil)
    }

    @Test("paths have one to sixteen hops")
    func paths() {
        let hop = "msrp://h:1/a;tcp"
        #expect(Path("\(hop)  \(hop)")?.uris.count == 2)
        #expect(Path("\(hop) \(hop)")?.description == "\(hop) \(hop)")
        #expect(Path("") == nil)
        #expect(Path("\(hop) nonsense") == nil)
        #expect(Path(Array(repeating: hop, count: 16).joined(separator: " ")) != nil)
        #expect(Path(Array(repeating: hop, count: 17).joined(separator: " ")) == nil)
    }

    @Test("RFC 4975 section 7.1: our identifiers are 64 bits in lower-case hexadecimal")
    func transactionIDs() {
        for value: UInt64 in [
            0, 1, 9, 0xa, 0xff, 0x0123_4567_89ab_cdef, 0xfedc_ba98_7654_3210, .max, 0x9a9a_9a9a_0f0f_a0a0,
        ] {
            let hex = String(value, radix: 16)
            let id = TransactionID(value)
            #expect(id.description == String(repeating: "0", count: 16 - hex.count) + hex)
            #expect(id.value == value)
            #expect(id == TransactionID(id.description))
        }
        #expect(TransactionID("0123456789ABCDEF")?.value == nil)
        #expect(TransactionID("0123")?.value == nil)
        #expect(TransactionID("") == nil)
        #expect(TransactionID("a b") == nil)
        var ids = IDGenerator()
        #expect(ids.next() != ids.next())
    }

    @Test("RFC 4975 section 7.1: an identifier whose end-line is in the body is not used")
    func avoiding() {
        var ids = IDGenerator(sequenceFrom: 5)
        let body = ByteBuffer(string: "x-------0000000000000005$--------0000000000000006 ------0000000000000007")
        #expect(ids.next(avoiding: body) == 7)
    }

    @Test("RFC 4975 section 8.6: accept-types")
    func acceptTypes() {
        let types = AcceptTypes(["message/cpim", "text/*"])
        #expect(types.accepts("Message/CPIM"))
        #expect(types.accepts("text/plain; charset=utf-8"))
        #expect(types.accepts("text/html;x"))
        #expect(!types.accepts("image/png"))
        #expect(!types.accepts("texts/plain"))
        #expect(!types.accepts("plain"))
        #expect(!types.accepts(""))
        #expect(AcceptTypes.all.accepts("a/b"))
        #expect(!AcceptTypes([]).accepts("a/b"))
    }
}
