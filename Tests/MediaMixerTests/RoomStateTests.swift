import MSRP
import NIOCore
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

    @Test("a nickname whose holder has left is kept for it for a while (sections 4 and 11)")
    func quarantine() {
        let start = NIODeadline.uptimeNanoseconds(1_000_000_000_000)
        var state = RoomState(quarantine: .seconds(300))
        state.add(alice, uri: "sip:alice@example.com")
        state.add(bob, uri: "sip:bob@example.com")
        let wonder = Nickname(header: "wonder")
        #expect(state.requestNickname(wonder, for: alice, now: start) == .set("wonder"))
        state.remove(alice, now: start)
        let justBefore = start + .seconds(299)
        #expect(state.requestNickname(wonder, for: bob, now: justBefore) == .refuse(.nicknameUnavailable))
        #expect(
            state.requestNickname(Nickname(header: "w0nder"), for: bob, now: start) == .refuse(.nicknameUnavailable))
        // Its holder gets it back at once, and gives it away freely then.
        state.add(alicesPhone, uri: "sip:alice@example.com")
        #expect(state.nickname(of: alicesPhone) == nil)
        #expect(state.requestNickname(wonder, for: alicesPhone, now: start) == .set("wonder"))
        #expect(state.requestNickname(Nickname(header: "\"\""), for: alicesPhone, now: start) == .set(nil))
        #expect(state.requestNickname(wonder, for: bob, now: start) == .set("wonder"))
        state.remove(bob, now: start)
        #expect(state.requestNickname(wonder, for: alicesPhone, now: start + .seconds(300)) == .set("wonder"))
    }

    @Test("the nicknames held back are bounded: the oldest is free then")
    func quarantineIsBounded() {
        let start = NIODeadline.uptimeNanoseconds(0)
        var state = RoomState(quarantine: .seconds(300))
        state.add(bob, uri: "sip:bob@example.com")
        for number in 0...RoomState.mostReleased {
            let member = MemberID(number: UInt64(100 + number))
            state.add(member, uri: "sip:x\(number)@example.com")
            let nickname = Nickname(header: "the number \(number + 2_000)")
            #expect(state.requestNickname(nickname, for: member, now: start) == .set("the number \(number + 2_000)"))
            state.remove(member, now: start)
        }
        #expect(
            state.requestNickname(Nickname(header: "the number 2000"), for: bob, now: start)
                != .refuse(.nicknameUnavailable))
        #expect(
            state.requestNickname(Nickname(header: "the number 2002"), for: bob, now: start)
                == .refuse(.nicknameUnavailable))
    }

    @Test("another's name, user part or address is not to be had, nor what looks like it (section 7.1)")
    func impostors() {
        var state = RoomState()
        state.add(alice, .init(uri: "sip:alice@example.com", displayName: "Alice Kay"))
        state.add(bob, .init(uri: "sip:bob@example.com"))
        for name in [
            "alice", "ALICE", "\u{430}lice", "alice kay", "Alice  Kay", "alice@example.com", "sip:alice@example.com",
        ] {
            #expect(state.requestNickname(Nickname(header: name), for: bob) == .refuse(.nicknameUnavailable), "\(name)")
            #expect(state.requestNickname(Nickname(header: name), for: alice) != .refuse(.nicknameUnavailable))
        }
        #expect(state.requestNickname(Nickname(header: "alicia"), for: bob) == .set("alicia"))
    }

    @Test("reserved words are nobody's (section 7.1)")
    func reserved() throws {
        var state = state
        let words = [try #require(Nickname(enforcing: "Admin"))]
        for name in ["admin", " ADMIN", "\u{430}dmin", "adrnin"] {
            #expect(
                state.requestNickname(Nickname(header: name), for: bob, reserved: words)
                    == .refuse(.nicknameUnavailable))
        }
        #expect(
            state.requestNickname(Nickname(header: "administrator"), for: bob, reserved: words)
                != .refuse(.nicknameUnavailable))
    }

    @Test("a participant is found by its aliases, who hides its name by the URI that is shown alone (section 6.1)")
    func aliases() {
        var state = RoomState()
        state.add(alice, .init(uri: "sip:alice@example.com", aliases: ["tel:+12015550123"]))
        state.add(bob, .init(uri: "sip:anonymous-1@anonymous.invalid", account: "bob@example.com"))
        #expect(state.members(named: "tel:+1-201-555-0123", except: bob) == [alice])
        #expect(state.members(named: "im:alice@example.com", except: bob) == [alice])
        #expect(state.members(named: "sip:anonymous-1@anonymous.invalid", except: alice) == [bob])
        #expect(!state.contains("sip:bob@example.com"))
        state.remove(alice)
        #expect(!state.contains("tel:+12015550123"))
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
