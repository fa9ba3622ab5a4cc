import MSRP
import Testing

@testable import MediaMixer

@Suite("Nicknames and names in a room (RFC 7701 sections 6.2 and 7)")
struct RoomStateTests {
    private let alice = MemberID(number: 1)
    private let alicesPhone = MemberID(number: 2)
    private let bob = MemberID(number: 3)

    private var state: RoomState {
        var state = RoomState()
        state.add(alice, uri: "sip:alice@example.com")
        state.add(alicesPhone, uri: "sip:alice@example.com")
        state.add(bob, uri: "sip:bob@example.com")
        return state
    }

    @Test("a private message goes to all sessions of its receiver")
    func named() {
        #expect(Set(state.members(named: "sip:alice@EXAMPLE.com", except: bob)) == [alice, alicesPhone])
        #expect(state.members(named: "sip:alice@example.com", except: alice) == [alicesPhone])
        #expect(state.members(named: "sip:carol@example.com", except: bob) == [])
    }

    @Test("a nickname in use by another user is refused with 425, case and blanks apart (section 7.1)")
    func taken() {
        var state = state
        #expect(state.requestNickname(Nickname(header: "\"Wonder\""), for: alice) == .set("Wonder"))
        #expect(state.requestNickname(Nickname(header: "wonder"), for: bob) == .refuse(.nicknameUnavailable))
        #expect(state.requestNickname(Nickname(header: "\" WONDER  \""), for: bob) == .refuse(.nicknameUnavailable))
        #expect(state.requestNickname(Nickname(header: "wonder"), for: alicesPhone) == .set("wonder"))
        #expect(state.requestNickname(Nickname(header: "Wonder"), for: alice) == .unchanged)
    }

    @Test("an empty nickname removes it, and it is free again (section 7.3)")
    func removed() {
        var state = state
        _ = state.requestNickname(Nickname(header: "wonder"), for: alice)
        #expect(state.requestNickname(Nickname(header: "\"\""), for: alice) == .set(nil))
        #expect(state.requestNickname(Nickname(header: "wonder"), for: bob) == .set("wonder"))
    }

    @Test("a nickname is free when its holder has left")
    func left() {
        var state = state
        _ = state.requestNickname(Nickname(header: "wonder"), for: alice)
        state.remove(alice)
        #expect(state.requestNickname(Nickname(header: "wonder"), for: bob) == .set("wonder"))
    }

    @Test("a malformed nickname is refused with 424 (section 7.1)")
    func malformed() {
        var state = state
        #expect(Nickname(header: "\"open") == nil)
        #expect(Nickname(header: "\"a\"b\"") == nil)
        #expect(Nickname(header: "\"a\\\"") == nil)
        #expect(Nickname(header: String(repeating: "x", count: 1024)) == nil)
        #expect(Nickname(header: String(repeating: "x", count: 1023)) != nil)
        #expect(Nickname(header: "\"a \\\"quoted\\\" \\\\ one\"")?.text == "a \"quoted\" \\ one")
        #expect(state.requestNickname(nil, for: alice) == .refuse(.malformedNickname))
    }
}
