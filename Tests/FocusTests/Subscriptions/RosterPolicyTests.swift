import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

@Suite("A room's policy document and its subscribers")
struct RosterPolicyTests {
    private static func document(
        _ handling: PresenceRules.Handling, _ identity: PresenceRules.Identity, etag: String
    ) -> PolicyDocument {
        let rules = PresenceRules(
            rules: [PresenceRules.Rule(id: "r1", conditions: [.identity([identity])], handling: handling)])
        return PolicyDocument(content: rules.xml(), etag: etag)
    }

    /// A static room whose document is that.
    private static func bench(_ document: PolicyDocument) async throws -> (Bench, MemoryRooms) {
        let store = MemoryRooms([], policies: [Bench.room: document])
        let bench = Bench(store: store) { $0.rooms = [RoomConfiguration(address: Bench.room)] }
        await bench.focus.policyChanged(Bench.room)
        return (bench, store)
    }

    private static let bob = Bench.subscribe(from: "<sip:bob@example.org>;tag=b")

    @Test("RFC 4745 7.1.1: one identity is let in, others are not")
    func one() async throws {
        let (bench, _) = try await Self.bench(Self.document(.allow, .one("sip:bob@example.org"), etag: "1"))
        #expect(try await bench.subscribe(Self.bob).0.status == 200)
        #expect(try await bench.subscribe().0.status == 403)
    }

    @Test("RFC 4745 7.1.2: a domain is let in, but for exceptions")
    func many() async throws {
        let (bench, _) = try await Self.bench(
            Self.document(
                .allow, .many(domain: "example.org", exceptIDs: ["sip:bob@example.org"], exceptDomains: []), etag: "1"))
        #expect(try await bench.subscribe().0.status == 200)
        #expect(try await bench.subscribe(Self.bob).0.status == 403)
        let stranger = Bench.subscribe(from: "<sip:eve@example.net>;tag=e")
        #expect(try await bench.subscribe(stranger).0.status == 403)
    }

    @Test("RFC 5025 3.2.1: confirm leaves it pending, without a body; allow tells the whole; block ends it")
    func confirm() async throws {
        let identity = PresenceRules.Identity.one("sip:bob@example.org")
        let (bench, store) = try await Self.bench(Self.document(.confirm, identity, etag: "1"))
        _ = try await bench.enter("alice")
        let (dialog, first) = try await bench.watch(Self.bob)
        #expect(first.header("Subscription-State") == "pending;expires=3600")
        #expect(first.body == nil)
        await bench.fireTimers()
        await bench.expectQuiet()
        try await store.setPolicy(Self.document(.allow, identity, etag: "2"), of: Bench.room)
        await bench.focus.policyChanged(Bench.room)
        let second = try await bench.nextSent()
        #expect(second.dialog == dialog)
        #expect(second.header("Subscription-State") == "active;expires=3600")
        #expect(try second.document().users?.list.count == 1)
        await bench.confirm(second)
        try await store.setPolicy(Self.document(.block, identity, etag: "3"), of: Bench.room)
        await bench.focus.policyChanged(Bench.room)
        let last = try await bench.nextSent()
        #expect(last.header("Subscription-State") == "terminated;reason=rejected")
        #expect(last.body == nil)
    }

    @Test("RFC 5025 3.2.1: who is blocked politely sees a room with nobody in it, whatever happens there")
    func politeBlock() async throws {
        let (bench, _) = try await Self.bench(Self.document(.politeBlock, .one("sip:bob@example.org"), etag: "1"))
        _ = try await bench.enter("alice")
        let (_, first) = try await bench.watch(Self.bob)
        #expect(first.header("Subscription-State") == "active;expires=3600")
        #expect(try first.document().users?.list.isEmpty == true)
        #expect(!first.text.contains("alice"))
        _ = try await bench.enter("carol")
        await bench.fireTimers()
        await bench.expectQuiet()
    }

    @Test("participants see each other whatever the document says")
    func participant() async throws {
        let (bench, _) = try await Self.bench(
            Self.document(.block, .many(domain: nil, exceptIDs: [], exceptDomains: []), etag: "1"))
        let (call, _) = try await bench.enter("alice")
        #expect(try await bench.subscribe(within: .call(call)).0.status == 200)
    }

    @Test("a document that can't be read lets nobody in")
    func unreadable() async throws {
        let (bench, _) = try await Self.bench(PolicyDocument(content: Array("<ruleset".utf8), etag: "1"))
        #expect(try await bench.subscribe().0.status == 403)
    }

    @Test("RFC 6665 4.2.1.4: a refresh is judged again")
    func refresh() async throws {
        let (bench, _) = try await Self.bench(Self.document(.allow, .one("sip:alice@example.org"), etag: "1"))
        let (dialog, _) = try await bench.watch()
        _ = try await bench.focus.ban(.init(account: "alice@example.org"), in: Bench.room)
        let ended = try await bench.nextSent()
        #expect(ended.header("Subscription-State") == "terminated;reason=rejected")
        await bench.confirm(ended)
        #expect(try await bench.subscribe(within: dialog).0.status == 481)
        #expect(try await bench.subscribe().0.status == 403)
    }
}
