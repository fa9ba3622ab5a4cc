import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

@Suite("PUBLISH to a room")
struct PublishingTests {
    private static func bench(_ change: (inout FocusConfiguration) -> Void = { _ in }) -> Bench {
        Bench {
            var room = RoomConfiguration(address: Bench.room)
            room.subscribe = .all
            $0.rooms = [room]
            change(&$0)
        }
    }

    private static func publish(
        _ subject: String? = "Tea", _ headers: [String: String] = [:], name: String = "alice"
    ) -> Request {
        .make(
            "PUBLISH", "sip:lobby@example.com",
            headers: ["Event": "conference", "From": "<sip:\(name)@example.org>;tag=p"].merging(headers) { $1 },
            body: subject.map { Published.description("<subject>\($0)</subject>") })
    }

    private func publish(_ bench: Bench, _ request: Request) async throws -> Answer {
        await bench.focus.handle(.request(bench.nextTransaction(), request))
        return try await bench.nextAnswer()
    }

    private func subject(_ bench: Bench) async -> String? {
        await bench.focus.room(at: Bench.room)?.condition.subject
    }

    @Test("a participant gives the room a subject, and subscribers are told")
    func subject() async throws {
        let bench = Self.bench()
        _ = try await bench.enter("alice")
        try await bench.watch()
        let answer = try await publish(bench, Self.publish())
        #expect(answer.status == 200)
        #expect(answer.header("Expires") == "3600")
        #expect(answer.header("SIP-ETag")?.isEmpty == false)
        #expect(await subject(bench) == "Tea")
        await bench.fireTimers()
        let document = try await bench.nextSent().document()
        #expect(document.description?.subject == "Tea")
        #expect(document.users == nil)
    }

    @Test("RFC 3903 6: modified, refreshed and removed by the entity-tag")
    func life() async throws {
        let bench = Self.bench()
        _ = try await bench.enter("alice")
        var tag = try #require(try await publish(bench, Self.publish()).header("SIP-ETag"))
        var answer = try await publish(bench, Self.publish("Cake", ["SIP-If-Match": tag]))
        #expect(answer.status == 200)
        #expect(try await publish(bench, Self.publish("Cake", ["SIP-If-Match": tag])).status == 412)
        tag = try #require(answer.header("SIP-ETag"))
        answer = try await publish(bench, Self.publish(nil, ["SIP-If-Match": tag, "Expires": "60"]))
        #expect(answer.header("Expires") == "60")
        #expect(await subject(bench) == "Cake")
        tag = try #require(answer.header("SIP-ETag"))
        answer = try await publish(bench, Self.publish(nil, ["SIP-If-Match": tag, "Expires": "0"]))
        #expect(answer.status == 200)
        #expect(answer.header("Expires") == "0")
        #expect(await subject(bench) == nil)
        #expect(await bench.focus.notifyCounters.publications == 0)
    }

    @Test(
        "what was published stays when the publication expires, unless the operator wants otherwise",
        arguments: [true, false])
    func expires(persists: Bool) async throws {
        let bench = Self.bench { $0.notifying.publicationsPersist = persists }
        _ = try await bench.enter("alice")
        _ = try await publish(bench, Self.publish("Tea", ["Expires": "60"]))
        bench.clock.advance(by: .seconds(61))
        await bench.fireTimers()
        #expect(await subject(bench) == (persists ? "Tea" : nil))
        #expect(await bench.focus.notifyCounters.publications == 0)
    }

    @Test("who is not in the room changes nothing")
    func stranger() async throws {
        let bench = Self.bench()
        _ = try await bench.enter("alice")
        #expect(try await publish(bench, Self.publish(name: "eve")).status == 403)
        #expect(await subject(bench) == nil)
    }

    @Test("who may not describe the room changes nothing")
    func notAllowed() async throws {
        let bench = Bench {
            var room = RoomConfiguration(address: Bench.room)
            room.describe = .owners
            room.owners = ["carol@example.org"]
            $0.rooms = [room]
        }
        _ = try await bench.enter("alice")
        #expect(try await publish(bench, Self.publish()).status == 403)
        _ = try await bench.enter("carol")
        #expect(try await publish(bench, Self.publish(name: "carol")).status == 200)
    }

    @Test("a document about another room is refused")
    func otherRoom() async throws {
        let bench = Self.bench()
        _ = try await bench.enter("alice")
        let request = Request.make(
            "PUBLISH", "sip:lobby@example.com",
            headers: ["Event": "conference", "From": "<sip:alice@example.org>;tag=p"],
            body: Published.document(
                "<conference-description><subject>x</subject></conference-description>", entity: "sip:x@example.com"))
        #expect(try await publish(bench, request).status == 403)
    }

    @Test(
        "RFC 3903 6: what is refused",
        arguments: [
            (["Event": "presence"], 489), (["Event": ""], 489), (["SIP-If-Match": "x"], 412), (["Expires": "1"], 423),
        ])
    func refused(headers: [String: String], status: Int) async throws {
        let bench = Self.bench()
        _ = try await bench.enter("alice")
        #expect(try await publish(bench, Self.publish("Tea", headers)).status == status)
        #expect(await subject(bench) == nil)
        #expect(await bench.focus.notifyCounters.publicationsRefused == 1)
    }

    @Test("RFC 3903 6, step 1: rooms that aren't there")
    func unknown() async throws {
        let bench = Self.bench()
        let request = Request.make("PUBLISH", "sip:nobody@example.com", headers: ["Event": "conference"])
        #expect(try await publish(bench, request).status == 404)
    }
}
