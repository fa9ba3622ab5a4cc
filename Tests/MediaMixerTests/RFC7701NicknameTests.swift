import MediaMixer
import NIOCore
import Support
import Testing

@Suite("Nicknames (RFC 7701 section 7)", .serialized)
struct RFC7701NicknameTests {
    private func nicknames(_ fixture: MixerFixture) async -> [String?] {
        await fixture.mixer.roster(fixture.room).map(\.nickname)
    }

    @Test("RFC 7701 7.1: taken is 425, another is 200 (the flow of section 9.2); the roster is told")
    func flow() async throws {
        let fixture = try await MixerFixture()
        let bob = try await fixture.join("bob")
        let alice = try await fixture.join("alice")
        #expect(try bob.nickname("\"Alice the great\"").status == 200)
        let refused = try alice.nickname("\"Alice the great\"")
        #expect(
            String(decoding: refused.rawHead, as: UTF8.self)
                == "MSRP \(refused.transactionID) 425 Nickname Reserved Or Already In Use\r\n"
                + "To-Path: \(alice.msrp.localPath)\r\nFrom-Path: \(alice.msrp.remotePath)\r\n")
        let accepted = try alice.nickname("\"Alice in Wonderland\"")
        #expect(
            String(decoding: accepted.rawHead, as: UTF8.self)
                == "MSRP \(accepted.transactionID) 200 OK\r\n"
                + "To-Path: \(alice.msrp.localPath)\r\nFrom-Path: \(alice.msrp.remotePath)\r\n")
        #expect(await nicknames(fixture) == ["Alice the great", "Alice in Wonderland"])
        #expect(fixture.events.suffix(2) == ["bob is Alice the great", "alice is Alice in Wonderland"])
        try await fixture.end()
    }

    @Test("RFC 7701 7.1: where the room has no nicknames every NICKNAME is refused with 403, malformed or not")
    func policy() async throws {
        let fixture = try await MixerFixture(inRoom: { $0.allowsNicknames = false })
        let alice = try await fixture.join("alice")
        for value in ["\"Wonder\"", "\"", nil] { #expect(try alice.nickname(value).status == 403) }
        #expect(await nicknames(fixture) == [nil])
        try await fixture.end()
    }

    @Test("RFC 7701 7.1: a NICKNAME must have a Use-Nickname: 400")
    func missing() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        #expect(try alice.nickname(nil).status == 400)
        try await fixture.end()
    }

    @Test(
        "RFC 7701 7.1: report header fields, which a NICKNAME must not have, change nothing: it is answered, not reported on",
        arguments: ["Failure-Report: no\r\n", "Failure-Report: partial\r\n", "Success-Report: yes\r\n"])
    func reports(fields: String) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.nickname("\"Wonder\"", extra: fields).word == "200 OK")
        #expect(try bob.nickname("\"Wonder\"", extra: fields).status == 425)
        #expect(try bob.say("next") == 200)
        try alice.hearsNothing(before: "next")
        try await fixture.end()
    }

    @Test(
        "RFC 7701 7.1: a value against the syntax, longer than 1023 octets or with characters of no name: 424",
        arguments: [
            "\"open", "\"a\"b\"", "\"a\\\"", "\"", "\"  \"", "\"a\u{200B}b\"", "\"\u{202E}bob\"", "\"\u{E000}\"",
            "\"" + String(repeating: "x", count: 1024) + "\"", "\"" + String(repeating: "\u{E9}", count: 512) + "\"",
        ])
    func malformed(value: String) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        #expect(try alice.nickname(value).word == "424 Malformed Nickname")
        #expect(await nicknames(fixture) == [nil])
        try await fixture.end()
    }

    @Test("RFC 7701 7.1: 1023 octets are a nickname, quoted or, as real clients write it, not")
    func longest() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let long = String(repeating: "x", count: 1023)
        #expect(try alice.nickname("\"\(long)\"").status == 200)
        #expect(await nicknames(fixture) == [long])
        #expect(try alice.nickname("Wonder Woman").status == 200)
        #expect(try alice.nickname("\"the \\\"one\\\" \\\\\"").status == 200)
        #expect(await nicknames(fixture) == ["the \"one\" \\"])
        try await fixture.end()
    }

    @Test("RFC 7701 7.1: nicknames are prepared and compared as RFC 7700 has it")
    func prepared() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.nickname("\"\u{3000}Richard  \u{2163} \"").status == 200)
        #expect(await nicknames(fixture) == ["Richard IV", nil])
        for same in ["richard iv", "\u{FF32}ICHARD IV", "Richard\u{A0}\u{2173}"] {
            #expect(try bob.nickname("\"\(same)\"").status == 425)
        }
        try await fixture.end()
    }

    @Test("RFC 7701 7.1: a nickname that only looks like another's is refused, too")
    func confusable() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.enter("bob") { $0.displayName = "Robert" }
        #expect(try alice.nickname("\"BOY\"").status == 200)
        for name in ["B0Y", "B\u{41E}Y", "b\u{3BF}y"] { #expect(try bob.nickname("\"\(name)\"").status == 425) }
        // Names others are known by, even without a nickname.
        for name in ["bob", "R\u{43E}bert", "bob@example.com"] {
            #expect(try alice.nickname("\"\(name)\"").status == 425)
        }
        #expect(await nicknames(fixture) == ["BOY", nil])
        #expect(try bob.nickname("\"Bob\"").status == 200)
        try await fixture.end()
    }

    @Test("RFC 7701 7.1: reserved words are nobody's: those configured and the room's own names")
    func reserved() async throws {
        let fixture = try await MixerFixture(inRoom: { $0.reservedNicknames = ["Admin", "support team"] })
        let alice = try await fixture.join("alice")
        for name in ["admin", "ADMIN", "\u{430}dmin", "Support  Team", "lobby", "The Lobby", "lobby@example.com"] {
            #expect(try alice.nickname("\"\(name)\"").status == 425)
        }
        #expect(try alice.nickname("\"Operator\"").status == 200)
        try await fixture.change(1) { $0.configuration.reservedNicknames = ["operator"] }
        #expect(try alice.nickname("\"admin\"").status == 200)
        #expect(try alice.nickname("\"operator\"").status == 425)
        try await fixture.end()
    }

    @Test("RFC 7701 7.1: a user may have one nickname on several devices, but no device gets it by itself")
    func devices() async throws {
        let fixture = try await MixerFixture()
        let desk = try await fixture.join("alice")
        #expect(try desk.nickname("\"Wonder\"").status == 200)
        let phone = try await fixture.join("alice")
        #expect(await nicknames(fixture) == ["Wonder", nil])
        #expect(try phone.nickname("\"wonder\"").status == 200)
        #expect(await nicknames(fixture) == ["Wonder", "wonder"])
        #expect(try phone.nickname("\"Woman\"").status == 200)
        let bob = try await fixture.join("bob")
        for name in ["Wonder", "Woman"] { #expect(try bob.nickname("\"\(name)\"").status == 425) }
        // As long as one device has it.
        #expect(try desk.nickname("\"Woman\"").status == 200)
        #expect(try phone.nickname("\"\"").status == 200)
        #expect(try bob.nickname("\"Woman\"").status == 425)
        try await fixture.end()
    }

    @Test("RFC 7701 7.2: a request that fails leaves the nickname as it is; one that succeeds releases the old one")
    func modified() async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.nickname("\"One\"").status == 200)
        #expect(try bob.nickname("\"Two\"").status == 200)
        #expect(try alice.nickname("\"Two\"").status == 425)
        #expect(try alice.nickname("\"").status == 424)
        #expect(await nicknames(fixture) == ["One", "Two"])
        #expect(try bob.nickname("\"One\"").status == 425)
        #expect(try alice.nickname("\"Three\"").status == 200)
        #expect(try bob.nickname("\"One\"").status == 200)
        #expect(await nicknames(fixture) == ["Three", "One"])
        try await fixture.end()
    }

    @Test("RFC 7701 7.3: an empty quoted string removes the nickname, an empty value as well", arguments: ["\"\"", ""])
    func removed(value: String) async throws {
        let fixture = try await MixerFixture()
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.nickname("\"Wonder\"").status == 200)
        #expect(try alice.nickname(value).status == 200)
        #expect(await nicknames(fixture) == [nil, nil])
        #expect(fixture.events.last == "alice is nobody")
        #expect(try bob.nickname("\"Wonder\"").status == 200)
        try await fixture.end()
    }

    @Test("RFC 7701 11: a nickname stays reserved for its holder for a while after it has left")
    func quarantine() async throws {
        var configuration = MixerConfiguration()
        configuration.nicknameQuarantine = .seconds(300)
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.nickname("\"Wonder\"").status == 200)
        await fixture.mixer.leave(alice.member, reason: .departed)
        #expect(try bob.nickname("\"Wonder\"").status == 425)
        let again = try await fixture.join("alice")
        #expect(try again.nickname("\"Wonder\"").status == 200)
        try await fixture.end()
    }

    @Test("RFC 7701 11: after that time it is anybody's")
    func quarantineEnds() async throws {
        var configuration = MixerConfiguration()
        configuration.nicknameQuarantine = .milliseconds(1)
        let fixture = try await MixerFixture(configuration: configuration)
        let alice = try await fixture.join("alice")
        let bob = try await fixture.join("bob")
        #expect(try alice.nickname("\"Wonder\"").status == 200)
        await fixture.mixer.leave(alice.member, reason: .departed)
        try await fixture.until { try bob.nickname("\"Wonder\"").status == 200 }
        try await fixture.end()
    }

    @Test("RFC 7701 7: an anonymous participant may have a nickname as a descriptive name")
    func anonymous() async throws {
        let fixture = try await MixerFixture()
        let hidden = try await fixture.enter("alice") {
            $0.participant = "sip:anonymous-7@anonymous.invalid"
            $0.aliases = ["sip:alice@example.com"]
            $0.isAnonymous = true
        }
        let bob = try await fixture.join("bob") { $0.format = .plainText }
        #expect(try hidden.nickname("\"Masked\"").status == 200)
        #expect(try hidden.say("hello") == 200)
        #expect(try bob.msrp.nextMessage().bodyText == "Masked: hello")
        // Its hidden name is nobody's business, so somebody else may have it.
        #expect(try bob.nickname("\"alice\"").status == 200)
        try await fixture.end()
    }
}
