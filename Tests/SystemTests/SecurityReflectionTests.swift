import Support
import Testing

extension SystemTests {
    /// A REFER that is refused may cause no packet but its response: not to whom Refer-To, Contact, Referred-By or a
    /// list names, and no second one to its sender.
    @Suite("Security: no reflection (RFC 3515 section 5)")
    struct SecurityReflectionTests {
        private static let room = "sip:mirror@example.com"

        /// Where a refused REFER points to.
        private struct Trap {
            let target: Bystander
            let contact: Bystander

            init() throws {
                target = try Bystander()
                contact = try Bystander()
            }

            var referTo: String { "Refer-To: <\(target.uri())>\r\n" }
            var contactLine: String { "Contact: <\(contact.uri())>\r\n" }
        }

        /// Sends the REFER and expects one response of this status, and silence everywhere else.
        private func expectSilence(
            _ sip: RawSIPClient, _ trap: Trap, statuses: ClosedRange<Int>, uri: String = room,
            within call: RawDialog? = nil,
            fields: String, body: String = "", sourceLocation: SourceLocation = #_sourceLocation
        ) throws {
            let callID = call?.callID ?? sip.newCallID()
            if let call { call.sequence += 1 }
            let sequence = call?.sequence ?? 1
            try sip.send(
                sip.requestText(
                    "REFER", call?.target ?? uri, to: call?.to ?? "<\(uri)>", fromTag: call?.localTag ?? sip.newTag(),
                    callID: callID, sequence: sequence, extra: trap.contactLine + fields, body: body))
            let response = try sip.finalResponse(to: callID, sequence, "REFER")
            #expect(statuses.contains(response.status), "\(response.startLine)", sourceLocation: sourceLocation)
            #expect(try trap.target.hears(within: 0.7) == nil, sourceLocation: sourceLocation)
            #expect(try trap.contact.hears(within: 0.1) == nil, sourceLocation: sourceLocation)
            #expect(
                try sip.nextIfAny(within: 0.1) { $0.callID == callID && !$0.isResponse } == nil,
                sourceLocation: sourceLocation)
            // A response that is sent again for a lost one is the same; a second one is another.
            let again = try sip.nextIfAny(within: 0.1) { $0.callID == callID && $0.status >= 200 }
            #expect(again?.status ?? response.status == response.status, sourceLocation: sourceLocation)
        }

        @Test("challenged", arguments: SIPTransportName.allCases)
        func challenged(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Guarded.options())
            _ = try Guarded.alice(of: confd)
            let trap = try Trap()
            let stranger = try Guarded.client("mallory", nil, of: confd, transport)
            try expectSilence(stranger, trap, statuses: 401...401, uri: Guarded.room, fields: trap.referTo)
            try expectSilence(
                stranger, trap, statuses: 401...401, uri: Guarded.room,
                fields: trap.referTo + "Refer-Sub: false\r\nSupported: norefersub\r\n")
        }

        @Test("from somebody who is not in the room", arguments: SIPTransportName.allCases)
        func notInside(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess(Workflow.options)
            _ = try Participant("alice", in: Self.room, of: confd)
            let trap = try Trap()
            let stranger = try RawSIPClient(transport, to: confd, user: "mallory")
            try expectSilence(stranger, trap, statuses: 403...403, fields: trap.referTo)
            try expectSilence(
                stranger, trap, statuses: 403...403, fields: "Refer-To: <sip:alice@127.0.0.1;method=BYE>\r\n")
        }

        @Test("to a room that does not exist, or that is not ours")
        func noRoom() throws {
            let confd = try ConfdProcess(Workflow.options)
            let trap = try Trap()
            let sip = try RawSIPClient(.udp, to: confd, user: "mallory")
            try expectSilence(sip, trap, statuses: 403...404, uri: "sip:nothing@example.com", fields: trap.referTo)
            try expectSilence(sip, trap, statuses: 404...404, uri: "sip:x@elsewhere.example", fields: trap.referTo)
        }

        @Test("from a participant who may not invite (invite = nobody)", arguments: [false, true])
        func notAllowed(_ inDialog: Bool) throws {
            let confd = try ConfdProcess(
                Workflow.options(["Room mirror@example.com": ["invite": "nobody", "owners": "owner@127.0.0.1"]]))
            let bob = try Participant("bob", in: Self.room, of: confd)
            let trap = try Trap()
            try expectSilence(
                bob.sip, trap, statuses: 403...403, within: inDialog ? bob.call : nil, fields: trap.referTo)
            try bob.leave()
        }

        @Test("without Refer-To, with several, with what is no SIP URI, with what cannot be done")
        func malformed() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: Self.room, of: confd)
            let trap = try Trap()
            for fields in [
                "", trap.referTo + trap.referTo, "Refer-To: <\(trap.target.uri())>, <\(trap.target.uri("other"))>\r\n",
                "Refer-To: <http://127.0.0.1:\(trap.target.address.port)/>\r\n",
                "Refer-To: <\(trap.target.uri());method=OPTIONS>\r\n", "Refer-To: <cid:nothing@example.com>\r\n",
            ] {
                try expectSilence(alice.sip, trap, statuses: 400...499, fields: fields)
            }
            try expectSilence(alice.sip, trap, statuses: 420...420, fields: trap.referTo + "Require: teleport\r\n")
        }

        @Test("to our own rooms, by any of our names")
        func ownRooms() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: Self.room, of: confd)
            let trap = try Trap()
            for target in [
                Self.room, "sip:mirror@127.0.0.1:\(confd.udp.port)", "sip:conference@example.com",
                "sip:mirror@127.0.0.1:\(confd.tcp.port);transport=tcp", "sips:mirror@127.0.0.1:\(confd.tls.port)",
            ] {
                try expectSilence(alice.sip, trap, statuses: 400...499, fields: "Refer-To: <\(target)>\r\n")
            }
        }

        @Test("with a hostile list")
        func hostileList() throws {
            let confd = try ConfdProcess(Workflow.options)
            let alice = try Participant("alice", in: Self.room, of: confd)
            let trap = try Trap()
            let list = ResourceListText([trap.target.uri()]).text + "<not xml"
            try expectSilence(
                alice.sip, trap, statuses: 400...400,
                fields: "Refer-To: <cid:l@example.com>\r\nContent-ID: <l@example.com>\r\nRefer-Sub: false\r\n"
                    + "Require: multiple-refer, norefersub\r\nContent-Disposition: recipient-list\r\n"
                    + "Content-Type: application/resource-lists+xml\r\n",
                body: list)
        }

        @Test("an accepted REFER whose Contact is somebody else's: the NOTIFYs come back to the sender, or go nowhere")
        func contactOfAnother() throws {
            let confd = try ConfdProcess(Guarded.options())
            let alice = try Guarded.alice(of: confd)
            let bystander = try Bystander()
            // From behind a NAT the source is what counts; a bystander is no NAT.
            let callID = alice.sip.newCallID()
            func refer(_ sequence: Int, _ more: String) throws -> SIPMessage {
                try alice.sip.send(
                    alice.sip.requestText(
                        "REFER", Guarded.room, to: "<\(Guarded.room)>", fromTag: "c", callID: callID,
                        sequence: sequence,
                        extra: "Contact: <sip:alice@10.254.254.254:\(bystander.address.port)>\r\n"
                            + "Refer-To: <sip:nobody@example.com;method=BYE>\r\n" + more))
                return try alice.sip.finalResponse(to: callID, sequence, "REFER")
            }
            let challenge = try refer(1, "")
            let answer = try #require(try alice.sip.credentials?.answer(to: challenge, "REFER", Guarded.room))
            #expect(try refer(2, answer).status == 202)
            let notify = try alice.sip.request("NOTIFY")
            #expect(notify.callID == callID)
            try alice.sip.respond(to: notify)
            #expect(try bystander.hears(within: 0.3) == nil)
        }
    }
}
