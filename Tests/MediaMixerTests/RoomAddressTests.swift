import MediaMixer
import Testing

@Suite("Names of rooms and participants")
struct RoomAddressTests {
    @Test("the user part keeps its case, the domain does not (RFC 3261 section 19.1.4)")
    func equality() {
        #expect(RoomAddress(user: "Lobby", domain: "EXAMPLE.com") == RoomAddress(user: "Lobby", domain: "example.COM"))
        #expect(RoomAddress(user: "Lobby", domain: "a") != RoomAddress(user: "lobby", domain: "a"))
    }

    @Test("the URI escapes what a user part may not hold (RFC 3261 section 25.1)")
    func escaping() {
        #expect(RoomAddress(user: "two words", domain: "a.b").uri == "sip:two%20words@a.b")
        #expect(RoomAddress(user: "a@b:c", domain: "a.b").uri == "sip:a%40b%3Ac@a.b")
        #expect(RoomAddress(user: "é", domain: "a.b").uri == "sip:%C3%A9@a.b")
        #expect(RoomAddress(user: "x-y_z.1!~*'()&=+$,;?/", domain: "a").uri == "sip:x-y_z.1!~*'()&=+$,;?/@a")
    }
}
