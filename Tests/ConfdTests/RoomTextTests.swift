import Focus
import Foundation
import MediaMixer
import Payloads
import Testing

@testable import confd

@Suite("The text of confd room")
struct RoomTextTests {
    private static var details: RoomDetails {
        var configuration = RoomConfiguration(
            address: RoomAddress(user: "lobby", domain: "example.com"), title: "The lobby", maximumMembers: 10)
        configuration.owners = ["alice@example.com"]
        configuration.observers = ["bob@example.com"]
        var condition = RoomCondition()
        condition.subject = "a\u{1B}[2J\u{202E}b"
        condition.roles = ["bob@example.com": .moderator]
        condition.bans = [.init(account: "eve@example.com", until: 1_000_000_000, reason: "noise")]
        return RoomDetails(
            kind: .factory, configuration: configuration, condition: condition, maker: "alice@example.com",
            participants: [
                .init(
                    uri: "sip:alice@example.com", displayName: "Alice", nickname: "Al", role: .owner,
                    contact: "sip:alice@192.0.2.1:5060", isMuted: false),
                .init(
                    uri: "sip:anonymous-1@anonymous.invalid", displayName: nil, role: .participant, contact: nil,
                    isMuted: true),
            ])
    }

    @Test("a list is a table; no rooms are no lines")
    func list() {
        let rooms = [
            RoomSummary(
                address: RoomAddress(user: "a", domain: "example.com"), kind: .adhoc, title: "", participants: 12,
                isLocked: true),
            RoomSummary(
                address: RoomAddress(user: "lobby", domain: "example.com"), kind: .file, title: "The lobby",
                participants: 3, isLocked: false),
        ]
        #expect(
            RoomText.list(rooms) == """
                room               kind   people  locked  title
                a@example.com      adhoc      12  locked  
                lobby@example.com  file        3  -       The lobby

                """)
        #expect(RoomText.list([]) == "")
    }

    @Test("details show what counts now; what people wrote can't steer the terminal")
    func showing() {
        let text = RoomText.details(Self.details)
        for line in [
            "lobby@example.com, made by the conference factory for alice@example.com", "  subject            a?[2J?b",
            "  participants       2 of 10", "  ends               last-leaves", "  owner      alice@example.com",
            "  moderator  bob@example.com", "  banned     eve@example.com until 2001-09-09T01:46:40Z (noise)",
            "  address                            name   nickname  role         muted  device",
            "  sip:alice@example.com              Alice  Al        owner        -      sip:alice@192.0.2.1:5060",
            "  sip:anonymous-1@anonymous.invalid  -      -         participant  muted  -",
        ] {
            #expect(text.split(separator: "\n").contains(Substring(line)), "\(line)\n\(text)")
        }
        #expect(!text.contains("observer"))
    }

    @Test("JSON has it all in one line")
    func json() throws {
        for line in [
            RoomJSON.list([]), RoomJSON.details(Self.details),
            RoomJSON.change(.close(Self.details.configuration.address), RoomAnswer(ended: 2)),
            RoomJSON.policy(Self.details.configuration.address, .allowAll, document: "<x>\n"),
        ] {
            #expect(!line.contains("\n"))
            _ = try JSONSerialization.jsonObject(with: Data(line.utf8))
        }
        #expect(
            RoomJSON.change(.close(Self.details.configuration.address), RoomAnswer(ended: 2))
                == #"{"room": "lobby@example.com", "ended": 2}"#)
        let object =
            try JSONSerialization.jsonObject(with: Data(RoomJSON.details(Self.details).utf8)) as? [String: Any]
        #expect(object?["subject"] as? String == "a\u{1B}[2J\u{202E}b")
        #expect((object?["roles"] as? [String: [String]])?["moderator"] == ["bob@example.com"])
        let people = object?["participants"] as? [[String: Any]]
        #expect(people?.map { $0["nickname"] as? String } == ["Al", nil])
        #expect(object?["free_text"] is NSNull)
    }

    @Test("a policy is a table of rules, from the document's own words")
    func policy() {
        let rules = PresenceRules(rules: [
            .init(
                id: "1",
                conditions: [
                    .identity([
                        .one("sip:alice@example.com"),
                        .many(domain: "b.example", exceptIDs: ["sip:eve@b.example"], exceptDomains: []),
                    ]),
                    .validity([.init(from: 0, until: 1_000_000_000)]),
                ], handling: .allow)
        ])
        #expect(
            RoomText.policy(rules) == """
                then   who
                allow  alice@example.com, *@b.example except eve@b.example; from 1970-01-01T00:00:00Z until 2001-09-09T01:46:40Z
                block  all others

                """)
        #expect(RoomText.policy(.allowAll) == "then   who\nallow  everyone\n")
        #expect(RoomText.policy(nil).hasPrefix("There is no document"))
    }
}

@Suite("What confd room is told")
struct RoomArgumentsTests {
    @Test("rooms and people are named as addresses or SIP URIs")
    func names() throws {
        #expect(try RoomNames.room("Lobby@Example.COM").description == "Lobby@example.com")
        #expect(try RoomNames.room("sip:a%20b@example.com;transport=tcp").description == "a b@example.com")
        #expect(try RoomNames.room("lobby@[::1]").description == "lobby@::1")
        #expect(try RoomNames.account("sip:alice@example.com") == "alice@example.com")
        #expect(try RoomNames.accountOrDomain("*@Example.com") == "*@example.com")
        #expect(try RoomNames.people("a@x, *@Y.example,a@x") == ["a@x", "*@y.example"])
        #expect(try RoomNames.people("") == [])
        #expect(try RoomNames.account("TEL:+1-408-555-1212") == "tel:+1-408-555-1212")
        #expect(throws: RoomFailure.self) { try RoomNames.account("tel:nobody") }
        for text in [
            "", "lobby", "@example.com", "lobby@", "lo\u{7}bby@example.com", "lobby@exa mple.com", "sip:example.com",
            "a@b@c",
        ] {
            #expect(throws: RoomFailure.self, "\(text)") { try RoomNames.room(text) }
        }
        #expect(throws: RoomFailure.self) { try RoomNames.room(String(repeating: "x", count: 256) + "@example.com") }
        #expect(throws: RoomFailure.self) { try RoomNames.account("*@example.com") }
        #expect(throws: RoomFailure.self) { try RoomNames.people("alice") }
    }

    @Test("moments are UTC and exist; durations have a unit")
    func times() throws {
        #expect(try RoomTimes.moment("2001-09-09T01:46:40Z") == 1_000_000_000)
        #expect(try RoomTimes.moment("2001-09-09T01:46") == 999_999_960)
        #expect(try RoomTimes.moment("1970-01-02") == 86_400)
        #expect(RoomTimes.text(1_000_000_000) == "2001-09-09T01:46:40Z")
        for text in [
            "", "tomorrow", "2026-02-30", "2026-13-01", "2026-01-01T25:00", "2026-01-01T10", "2026-1-1-1", "12:00",
        ] {
            #expect(throws: RoomFailure.self, "\(text)") { try RoomTimes.moment(text) }
        }
        #expect(try RoomTimes.duration("90 s") == 90)
        #expect(try RoomTimes.duration("30min") == 1800)
        #expect(try RoomTimes.duration("7 d") == 604_800)
        for text in ["", "5", "h", "-1 h", "0 s", "5 weeks", "99999999999999999 d", "9223372036854775807 s"] {
            #expect(throws: RoomFailure.self, "\(text)") { try RoomTimes.duration(text) }
        }
    }

    @Test("texts are bounded and without control characters")
    func texts() throws {
        #expect(try RoomTexts.line("a title", "title") == "a title")
        #expect(try RoomTexts.line(nil, "title") == nil)
        #expect(try RoomTexts.text("two\nlines", "text") == "two\nlines")
        #expect(try RoomTexts.keywords(" a , b,,") == ["a", "b"])
        #expect(try RoomTexts.keywords("") == [])
        for text in ["two\nlines", "\u{1B}", String(repeating: "ü", count: 501)] {
            #expect(throws: RoomFailure.self) { try RoomTexts.line(text, "title") }
        }
        #expect(throws: RoomFailure.self) { try RoomTexts.text("\u{0}", "text") }
    }
}
