import Foundation
import MediaMixer
import Payloads
import Store
import Support
import Testing

@testable import confd

@Suite("Changing a room's policy document")
struct RoomPolicyOrderTests {
    /// Each step as on the command line, and who then gets what.
    struct Case: CustomTestStringConvertible, Sendable {
        var steps: [(PresenceRules.Handling, RoomPolicyPerson)]
        var expected: [(String?, PresenceRules.Handling)]
        var testDescription: String
    }

    static let cases: [Case] = [
        Case(
            steps: [(.allow, .account("alice@a.example"))],
            expected: [("alice@a.example", .allow), ("bob@a.example", .block), (nil, .block)],
            testDescription: "one account"),
        Case(
            steps: [(.allow, .everyone)],
            expected: [("alice@a.example", .allow), (nil, .allow)], testDescription: "everyone, anonymous ones too"),
        Case(
            steps: [(.allow, .everyone), (.block, .account("eve@a.example"))],
            expected: [("eve@a.example", .block), ("alice@a.example", .allow), (nil, .block)],
            testDescription: "everyone but one: who hides the name might be the one"),
        Case(
            steps: [(.allow, .everyone), (.block, .domain("b.example")), (.allow, .account("bob@b.example"))],
            expected: [("bob@b.example", .allow), ("x@b.example", .block), ("alice@a.example", .allow)],
            testDescription: "everyone but a domain, and one of it"),
        Case(
            steps: [(.block, .account("eve@a.example")), (.allow, .domain("a.example"))],
            expected: [("eve@a.example", .block), ("alice@a.example", .allow), ("x@b.example", .block)],
            testDescription: "who was blocked by name stays so"),
        Case(
            steps: [
                (.allow, .domain("a.example")), (.block, .account("eve@a.example")),
                (.allow, .account("eve@a.example")),
            ],
            expected: [("eve@a.example", .allow), ("alice@a.example", .allow)],
            testDescription: "blocked and allowed again"),
        Case(
            steps: [(.allow, .account("eve@a.example")), (.politeBlock, .account("eve@A.example"))],
            expected: [("eve@a.example", .politeBlock)], testDescription: "what is said later counts, in any case"),
        Case(
            steps: [(.confirm, .domain("a.example")), (.allow, .account("boss@a.example"))],
            expected: [("boss@a.example", .allow), ("x@a.example", .confirm), ("x@b.example", .block)],
            testDescription: "a domain to confirm, one of it allowed"),
        Case(
            steps: [(.allow, .domain("a.example")), (.block, .domain("a.example"))],
            expected: [("x@a.example", .block)], testDescription: "a domain no longer"),
        Case(
            steps: [(.allow, .everyone), (.block, .domain("a.example")), (.allow, .domain("a.example"))],
            expected: [("x@a.example", .allow), ("x@b.example", .allow)], testDescription: "a domain again"),
        Case(
            steps: [(.allow, .domain("a.example")), (.block, .account("eve@b.example"))],
            expected: [("eve@b.example", .block), ("x@a.example", .allow)],
            testDescription: "one of another domain changes nothing for the first"),
        Case(
            steps: [(.allow, .everyone), (.block, .account("tel:+14085551212"))],
            expected: [("tel:+14085551212", .block), ("tel:+14085551213", .allow)], testDescription: "a telephone"),
        Case(
            steps: [(.allow, .account("a@a.example")), (.block, .everyone)],
            expected: [("a@a.example", .block), (nil, .block)], testDescription: "nobody"),
    ]

    @Test(
        "what is wrong with a document is said in words",
        arguments: [
            ("<ruleset xmlns='urn:ietf:params:xml:ns:common-policy'>\n<rule", "line 2 is not well-formed XML"),
            ("<!DOCTYPE x><x/>", "it has a document type declaration (DOCTYPE), which is not taken"),
            ("<presence/>", "'presence' does not belong there or is not as it must be"),
        ])
    func wrongDocuments(document: String, words: String) {
        let error = #expect(throws: RoomFailure.self) { try RoomPolicyOrder.read(Array(document.utf8)) }
        #expect(
            error?.description
                == "the document is no policy document (application/auth-policy+xml, RFC 5025): \(words)")
    }

    @Test("RFC 5025: after the commands, the document decides as they said", arguments: cases)
    func commands(_ example: Case) throws {
        var rules = PresenceRules(rules: [])
        for (handling, person) in example.steps { rules.set(handling, for: person) }
        // As it comes back from the database.
        let read = try PresenceRules(parsing: rules.xml())
        for (identity, handling) in example.expected {
            #expect(read.decide(identity: identity, now: 0) == handling, "\(identity ?? "anonymous")")
        }
        #expect(Set(read.rules.map(\.id)).count == read.rules.count)
    }

    @Test("RFC 4745: rules that were written elsewhere keep their time limits and their ids stay apart")
    func foreign() throws {
        var rules = PresenceRules(rules: [
            .init(
                id: "allow", conditions: [.validity([.init(from: 10, until: 20)]), .identity([.one("sip:a@x")])],
                handling: .allow),
            .init(id: "block", conditions: [.validity([.init(from: 10, until: 20)])], handling: .allow),
        ])
        rules.set(.allow, for: .account("b@x"))
        rules.set(.block, for: .account("c@x"))
        #expect(Set(rules.rules.map(\.id)).count == rules.rules.count)
        for (identity, now, handling) in [
            ("a@x", 5, .block), ("a@x", 15, .allow), ("b@x", 5, .allow), ("c@x", 15, .block), ("d@x", 15, .allow),
        ] as [(String, Int64, PresenceRules.Handling)] {
            #expect(rules.decide(identity: identity, now: now) == handling, "\(identity) at \(now)")
        }
    }

    @Test("orders make, change, replace and remove the document in the database")
    func database() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        let room = RoomAddress(user: "lobby", domain: "example.com")
        #expect(try await RoomPolicyOrder.show.perform(on: room, database) == "")
        let first = try await RoomPolicyOrder.rule(handling: "allow", [.account("a@x")]).perform(on: room, database)
        #expect(try await RoomPolicyOrder.show.perform(on: room, database) == first)
        let etag = try await database.policy(of: room)?.etag
        _ = try await RoomPolicyOrder.rule(handling: "allow", [.account("b@x")]).perform(on: room, database)
        #expect(try await database.policy(of: room)?.etag != etag)
        let content = try #require(try await database.policy(of: room)?.content)
        let rules = try PresenceRules(parsing: content)
        #expect(rules.decide(identity: "a@x", now: 0) == .allow)
        #expect(rules.decide(identity: "b@x", now: 0) == .allow)

        await #expect(throws: RoomFailure.self) {
            try await RoomPolicyOrder.replace(Data("<html/>".utf8)).perform(on: room, database)
        }
        #expect(try await database.policy(of: room)?.content == content)
        _ = try await RoomPolicyOrder.replace(Data(first.utf8)).perform(on: room, database)
        #expect(try await database.policy(of: room)?.etag == etag)
        #expect(try await RoomPolicyOrder.reset.perform(on: room, database) == "")
        #expect(try await database.policy(of: room) == nil)
    }

    @Test("a document that is not understood is not changed, but 'everyone' starts anew")
    func unreadable() throws {
        let broken = Array("<ruleset".utf8)
        #expect(throws: RoomFailure.self) {
            try RoomPolicyOrder.rule(handling: "allow", [.account("a@x")]).apply(to: broken)
        }
        let anew = try RoomPolicyOrder.rule(handling: "allow", [.everyone]).apply(to: broken)
        #expect(anew.rules?.decide(identity: nil, now: 0) == .allow)
    }
}
