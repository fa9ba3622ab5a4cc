import Foundation
import Support
import Testing

extension SystemTests {
    @Suite(
        "Publishing what a room is about (RFC 3903)",
        .enabled(if: DocumentSchema.isAvailable, "xmllint is not installed"))
    struct PublishTests {
        static let fields = "Event: conference\r\nExpires: 600\r\nContent-Type: application/conference-info+xml\r\n"

        /// A conference-info with this in its conference-description.
        static func document(_ room: String, _ description: String, more: String = "") -> String {
            """
            <?xml version="1.0" encoding="UTF-8"?>
            <conference-info xmlns="urn:ietf:params:xml:ns:conference-info" entity="\(room)" state="partial" version="1">
            <conference-description>\(description)</conference-description>\(more)
            </conference-info>
            """
        }

        private let room = "sip:subject@127.0.0.1"

        private func publish(
            _ who: Participant, _ description: String?, more: String = "", fields: String = Self.fields
        ) throws -> SIPMessage {
            try who.sip.ask(
                "PUBLISH", room, extra: fields, body: description.map { Self.document(room, $0, more: more) } ?? "")
        }

        @Test("title, subject, text and keywords are taken, and everybody sees them")
        func taken() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let bob = try Participant("bob", in: room, of: confd)
            let sees = try bob.watch()
            let response = try publish(
                alice,
                "<display-text>The &lt;team&gt;</display-text><subject>Goals</subject>"
                    + "<free-text>This month's</free-text><keywords>plan goals</keywords>")
            #expect(response.status == 200)
            #expect(response["SIP-ETag"]?.isEmpty == false)
            #expect(response["Expires"] == "600")
            try sees.until("the subject") { $0.description?.value("subject") == "Goals" }
            #expect(sees.view.description?.value("display-text") == "The <team>")
            #expect(sees.view.description?.value("free-text") == "This month's")
            let keywords = sees.view.description?.value("keywords")?.split { " \n\t".contains($0) }
            #expect(keywords == ["plan", "goals"])
        }

        @Test(
            "refresh, change and removal by SIP-If-Match; a wrong one gets 412 (RFC 3903 section 6)",
            arguments: [true, false])
        func life(_ persists: Bool) throws {
            let confd = try ConfdProcess(
                Workflow.options(["Conference": ["publish_persists": persists ? "Yes" : "No"]]))
            let alice = try Participant("alice", in: room, of: confd)
            let sees = try alice.watch()
            let first = try publish(alice, "<subject>one</subject>")
            let tag = try #require(first["SIP-ETag"])
            // Refresh: no body, the same tag's content.
            let refreshed = try publish(
                alice, nil, fields: "Event: conference\r\nExpires: 300\r\nSIP-If-Match: \(tag)\r\n")
            #expect(refreshed.status == 200)
            let second = try #require(refreshed["SIP-ETag"])
            try sees.until("one") { $0.description?.value("subject") == "one" }
            let changed = try publish(
                alice, "<subject>two</subject>", fields: Self.fields + "SIP-If-Match: \(second)\r\n")
            #expect(changed.status == 200)
            let third = try #require(changed["SIP-ETag"])
            #expect(third != tag)
            try sees.until("two") { $0.description?.value("subject") == "two" }
            #expect(
                try publish(alice, "<subject>x</subject>", fields: Self.fields + "SIP-If-Match: nonsense\r\n").status
                    == 412)
            #expect(
                try publish(alice, nil, fields: "Event: conference\r\nExpires: 60\r\nSIP-If-Match: \(tag)x\r\n").status
                    == 412)
            let removed = try publish(
                alice, nil, fields: "Event: conference\r\nExpires: 0\r\nSIP-If-Match: \(third)\r\n")
            #expect(removed.status == 200)
            // What is taken back is gone, whatever publish_persists says: it speaks of expiry.
            try sees.until("no subject") { $0.description?.value("subject") == nil }

            let short = try publish(
                alice, "<subject>three</subject>",
                fields: Self.fields.replacingOccurrences(of: "Expires: 600", with: "Expires: 1"))
            guard short.status == 200 else {
                #expect(short.status == 423)
                #expect(short["Min-Expires"].flatMap { Int($0) } != nil)
                return
            }
            try sees.until("three") { $0.description?.value("subject") == "three" }
            let later = try sees.notificationIfAny(within: 4)
            #expect((later == nil) == persists)
            #expect(sees.view.description?.value("subject") == (persists ? "three" : nil))
        }

        @Test("anything else in the body gets 403, or 400 where it is no conference-info; nothing changes")
        func otherContent() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: room, of: confd)
            let users = "<users><user entity=\"sip:ghost@127.0.0.1\" state=\"full\"/></users>"
            #expect(try publish(alice, "<subject>x</subject>", more: users).status == 403)
            #expect(
                try publish(alice, "<subject>x</subject><maximum-user-count>1</maximum-user-count>").status == 403)
            #expect(
                try publish(
                    alice, "<subject>x</subject>", more: "<conference-state><locked>true</locked></conference-state>"
                )
                .status == 403)
            #expect(try alice.sip.ask("PUBLISH", room, extra: Self.fields, body: "<not xml").status == 400)
            #expect(try alice.sip.ask("PUBLISH", room, extra: Self.fields, body: "<other/>").status == 400)
            #expect(
                try alice.sip.ask(
                    "PUBLISH", room, extra: "Event: conference\r\nContent-Type: text/plain\r\n", body: "x"
                ).status == 415)
            #expect(
                try alice.sip.ask("PUBLISH", room, extra: "Event: presence\r\nContent-Type: text/plain\r\n", body: "x")
                    .status == 489)
            let sees = try alice.watch()
            #expect(sees.view.description?.value("subject") == nil)
            #expect(sees.view.user("ghost") == nil)
            #expect(sees.view.isLocked == false)
        }

        @Test("who may not describe the room gets 403 (describe)")
        func notAllowed() throws {
            let confd = try ConfdProcess(
                Workflow.options(["Room subject@127.0.0.1": ["describe": "moderators", "moderators": "mod@127.0.0.1"]]))
            let alice = try Participant("alice", in: room, of: confd)
            #expect(try publish(alice, "<subject>x</subject>").status == 403)
            let moderator = try Participant("mod", in: room, of: confd)
            #expect(try publish(moderator, "<subject>y</subject>").status == 200)
        }

        @Test("a static room's subject outlives kill -9, and is there before confd ready")
        func survives() throws {
            let options = Workflow.options(["Room subject@127.0.0.1": ["title": "configured"]])
            let confd = try ConfdProcess(options)
            let alice = try Participant("alice", in: room, of: confd)
            #expect(try publish(alice, "<subject>what stays</subject>").status == 200)
            let sees = try alice.watch()
            try sees.until("the subject") { $0.description?.value("subject") == "what stays" }
            confd.process.signal(9)
            _ = try confd.process.waitForExit(within: 5)

            let again = try ConfdProcess(options, in: confd.folder)
            let back = try Participant("alice", in: room, of: again)
            let now = try back.watch()
            #expect(now.view.description?.value("subject") == "what stays")
            #expect(now.view.description?.value("display-text") == "configured")
            // Dialogs died with the process (RFC 3261 section 12.2.2).
            let lost = try RawSIPClient(.udp, to: again, user: "alice")
            try lost.send(
                lost.requestText(
                    "BYE", "sip:subject@\(again.udp)", to: alice.call.to, fromTag: alice.call.localTag,
                    callID: alice.call.callID, sequence: 9))
            #expect(try lost.finalResponse(to: alice.call.callID, 9, "BYE").status == 481)
            let old = try RawMSRPClient(
                remotePath: back.msrp.remotePath.prefix { $0 != ":" } + "://\(again.msrp)/"
                    + (alice.msrp.remotePath.split(separator: "/").last ?? ""), localPath: alice.msrp.localPath)
            #expect(try old.bind().status == 481)
        }
    }
}
