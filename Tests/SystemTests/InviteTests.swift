import Foundation
import Support
import Testing

extension SystemTests {
    @Suite("Calls")
    struct InviteTests {
        @Test("the 200 says what a focus says (RFC 4579 section 5, RFC 3840)", arguments: SIPTransportName.allCases)
        func answerHeaders(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(transport, to: confd, user: "alice")
            let call = try sip.invite("sip:lobby@127.0.0.1", offer: Offer().text)
            #expect(call.status == 200)
            let contact = try #require(call.response["Contact"])
            #expect(contact.contains(">;isfocus"))
            #expect(contact.contains("sip:lobby@") || contact.contains("sips:lobby@"))
            #expect(contact.contains(":\(confd.address(transport).port)"))
            for method in ["INVITE", "ACK", "BYE", "CANCEL", "OPTIONS", "UPDATE"] {
                #expect(call.response.all("Allow").joined(separator: ",").contains(method))
            }
            #expect(call.response["Supported"] != nil)
            #expect(call.response.all("Accept").joined(separator: ",").contains("application/sdp"))
            #expect(call.response.all("Allow-Events").joined(separator: ",").contains("conference"))
            try call.ack()
            #expect(try call.bye().status == 200)
        }

        @Test("refusals carry the right code")
        func refusals() throws {
            let confd = try ConfdProcess([
                "Conference": ["adhoc_rooms": "No"], "Room lobby@127.0.0.1": ["title": "The lobby"],
            ])
            let sip = try RawSIPClient(.udp, to: confd, user: "alice")
            let offer = Offer().text
            func status(_ uri: String, offer: String?, extra: String = "") throws -> SIPMessage {
                try sip.invite(uri, offer: offer, extra: extra).response
            }
            #expect(try status("sip:lobby@127.0.0.1", offer: offer).status == 200)
            #expect(try status("sip:nowhere@127.0.0.1", offer: offer).status == 404)
            #expect(try status("sip:lobby@elsewhere.example", offer: offer).status == 404)
            #expect(try status("sip:127.0.0.1", offer: offer).status == 404)
            #expect(try status("tel:+15551234", offer: offer).status == 416)
            let audio = offer.replacingOccurrences(of: "m=message 2855 TCP/MSRP *", with: "m=audio 4000 RTP/AVP 0")
            let unusable = try status("sip:lobby@127.0.0.1", offer: audio)
            #expect(unusable.status == 488)
            #expect(unusable["Warning"] != nil)
            let unknown = try sip.ask(
                "INVITE", "sip:lobby@127.0.0.1", extra: "Content-Type: application/unknown\r\n", body: "what?")
            #expect(unknown.status == 415)
            #expect(unknown.all("Accept").joined().contains("application/sdp"))
        }

        @Test("REGISTER and MESSAGE get 405 with Allow", arguments: ["REGISTER", "MESSAGE"])
        func unsupportedMethods(_ method: String) throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(.udp, to: confd, user: "alice")
            let response = try sip.ask(method, method == "REGISTER" ? "sip:127.0.0.1" : "sip:lobby@127.0.0.1")
            #expect(response.status == 405)
            #expect(response["Allow"] != nil)
        }

        @Test("OPTIONS tells a focus (RFC 4579 section 5.13)")
        func options() throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(.udp, to: confd, user: "alice")
            let room = try sip.ask("OPTIONS", "sip:lobby@127.0.0.1")
            #expect(room.status == 200)
            #expect(room["Contact"]?.contains("isfocus") == true)
            #expect(room["Allow"] != nil)
            #expect(try sip.ask("OPTIONS", "sip:lobby@elsewhere.example").status == 404)
            #expect(try sip.ask("OPTIONS", "sip:127.0.0.1").status == 200)
        }

        @Test("a repeated INVITE is the same call (RFC 3261 section 17.2.1)")
        func retransmission() throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(.udp, to: confd, user: "alice")
            let callID = sip.newCallID()
            let body = Offer().text
            let invite = sip.requestText(
                "INVITE", "sip:again@127.0.0.1", to: "<sip:again@127.0.0.1>", fromTag: sip.newTag(), callID: callID,
                sequence: 1, extra: "Contact: \(sip.contact)\r\nContent-Type: application/sdp\r\n", body: body)
            try sip.send(invite)
            let first = try sip.finalResponse(to: callID, 1, "INVITE")
            try sip.send(invite)
            let second = try sip.finalResponse(to: callID, 1, "INVITE")
            #expect(first.status == 200)
            #expect(first.toTag == second.toTag)
            #expect(first.attributes("path") == second.attributes("path"))
        }

        @Test("an offerless INVITE gets our offer, the answer comes in the ACK (RFC 3261 section 13.2.2.4)")
        func offerless() throws {
            let confd = try ConfdProcess()
            let talker = try Participant("talker", in: "sip:offerless@127.0.0.1", of: confd)
            let sip = try RawSIPClient(.udp, to: confd, user: "late")
            let call = try sip.invite("sip:offerless@127.0.0.1", offer: nil)
            #expect(call.status == 200)
            #expect(call.response.mediaLines.count == 1)
            var answer = Offer(tls: call.path.hasPrefix("msrps"))
            answer.setup = "active"
            answer.chatroom = ""
            try call.ack(answer: answer.text)
            let msrp = try RawMSRPClient(remotePath: call.path, localPath: answer.path)
            #expect(try msrp.bind().status == 200)
            #expect(try talker.say("there you are") == 200)
            var heard = try msrp.nextMessage().cpimText
            // Where the bind overtakes the ACK, confd does not know yet that the client needs no welcome text.
            if heard != "there you are" { heard = try msrp.nextMessage().cpimText }
            #expect(heard == "there you are")
        }

        /// The call's ladder: INVITE, 200 again and again, no ACK; the MSRP session ends after `ack_timeout`.
        @Test(
            "without an ACK the participant is gone after five seconds, and a late ACK brings BYE (RFC 3261 section 15)"
        )
        func missingACK() throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(.udp, to: confd, user: "silent")
            let offer = Offer()
            let call = try sip.invite("sip:noack@127.0.0.1", offer: offer.text)
            let msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path)
            try msrp.bind()
            #expect(try msrp.stream.closes(within: 9))
            let again = try RawMSRPClient(remotePath: call.path, localPath: offer.path)
            #expect(try again.bind().status == 481)
            #expect(try sip.nextIfAny(within: 0.5) { !$0.isResponse && $0.method == "BYE" } == nil)
            try call.ack()
            try call.awaitBye()
        }

        @Test("CANCEL finds its INVITE or says 481 (RFC 3261 section 9.2)")
        func cancel() throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(.tcp, to: confd, user: "alice")
            let call = RawCallProbe(sip)
            // Both in one piece: the CANCEL may meet a finished INVITE, which it must leave alone.
            try sip.send(call.invite + call.cancel)
            let cancelled = try sip.finalResponse(to: call.callID, 1, "CANCEL")
            let final = try sip.finalResponse(to: call.callID, 1, "INVITE")
            #expect([200, 481].contains(cancelled.status))
            #expect([200, 487].contains(final.status))
            // CANCEL of nothing.
            let nothing = RawCallProbe(sip)
            try sip.send(nothing.cancel)
            #expect(try sip.finalResponse(to: nothing.callID, 1, "CANCEL").status == 481)
            #expect(try sip.ask("OPTIONS", "sip:lobby@127.0.0.1").status == 200)
        }

        @Test("hold and resume by re-INVITE and UPDATE (RFC 3264 section 8.4)", arguments: ["INVITE", "UPDATE"])
        func hold(_ method: String) throws {
            let confd = try ConfdProcess()
            let talker = try Participant("talker", in: "sip:hold@127.0.0.1", of: confd)
            var offer = Offer()
            offer.chatroom = ""
            let sip = try RawSIPClient(.udp, to: confd, user: "held")
            let call = try sip.invite("sip:hold@127.0.0.1", offer: offer.text)
            try call.ack()
            let msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path)
            try msrp.bind()
            func change(_ direction: String) throws -> SIPMessage {
                offer.direction = direction
                offer.version += 1
                return method == "INVITE" ? try call.reinvite(offer.text) : try call.update(offer.text)
            }
            let path = call.path
            let held = try change("inactive")
            #expect(held.status == 200)
            #expect(held.bodyText.contains("a=inactive\r\n"))
            #expect(held.attributes("path") == [path])
            #expect(try talker.say("while away") == 200)
            #expect(try msrp.nextIfAny(within: 0.3) == nil)
            let resumed = try change("sendrecv")
            #expect(resumed.status == 200)
            #expect(!resumed.bodyText.contains("a=inactive"))
            #expect(try talker.say("back again") == 200)
            var heard = try msrp.nextMessage().cpimText
            if heard == "while away" { heard = try msrp.nextMessage().cpimText }
            #expect(heard == "back again")
            #expect(try call.bye().status == 200)
        }

        /// We refresh: UPDATE where the peer's Allow lists it, and what it refuses with 405 by a re-INVITE with our
        /// unchanged description, never without one.
        @Test(
            "a session is refreshed in time (RFC 4028 sections 7.4 and 9)",
            .enabled(if: SystemTests.long, "the shortest interval is 90 seconds: only with CONFD_LONG"))
        func sessionTimer() throws {
            let confd = try ConfdProcess(["SIP": ["session_expires": "90 s"]])
            let sip = try RawSIPClient(.udp, to: confd, user: "timed")
            let call = try sip.invite(
                "sip:timer@127.0.0.1", offer: Offer().text,
                extra: "Supported: timer\r\nSession-Expires: 90;refresher=uas\r\nMin-SE: 90\r\n")
            #expect(call.response["Session-Expires"]?.hasPrefix("90") == true)
            #expect(call.response["Session-Expires"]?.contains("refresher=uas") == true)
            try call.ack()
            let update = try sip.request("UPDATE", within: 80)
            #expect(update["Session-Expires"]?.contains("refresher=uac") == true)
            try sip.respond(to: update, "405 Method Not Allowed", extra: "Allow: INVITE, ACK, BYE, CANCEL\r\n")
            let again = try sip.request("INVITE", within: 20)
            #expect(again.attributes("path") == call.response.attributes("path"))
        }

        @Test("too short a session interval gets 422 with Min-SE (RFC 4028 section 5)")
        func intervalTooSmall() throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(.udp, to: confd, user: "hasty")
            let call = try sip.invite(
                "sip:timer@127.0.0.1", offer: Offer().text, extra: "Supported: timer\r\nSession-Expires: 60\r\n")
            #expect(call.status == 422)
            #expect(call.response["Min-SE"] == "90")
        }

        @Test("MSRP lost: a re-INVITE with a new path recovers, the old session is gone (RFC 4975 section 5.4)")
        func recovery() throws {
            let confd = try ConfdProcess()
            let talker = try Participant("talker", in: "sip:recover@127.0.0.1", of: confd)
            let member = try Participant("member", in: "sip:recover@127.0.0.1", of: confd)
            member.msrp.stream.reset()
            var offer = Offer()
            offer.chatroom = ""
            offer.version = 2
            let answer = try member.call.reinvite(offer.text)
            #expect(answer.status == 200)
            let path = try #require(answer.attributes("path").first)
            #expect(path != member.msrp.remotePath)
            let old = try RawMSRPClient(remotePath: member.msrp.remotePath, localPath: member.msrp.localPath)
            #expect(try old.bind().status == 481)
            let new = try RawMSRPClient(remotePath: path, localPath: offer.path)
            #expect(try new.bind().status == 200)
            #expect(try talker.say("there you are") == 200)
            var heard = try new.nextMessage().cpimText
            if heard != "there you are" { heard = try new.nextMessage().cpimText }
            #expect(heard == "there you are")
        }

        @Test("MSRP lost and not recovered: BYE after the grace period")
        func graceExpires() throws {
            let confd = try ConfdProcess()
            let member = try Participant("member", in: "sip:grace@127.0.0.1", of: confd)
            member.msrp.stream.reset()
            try member.call.awaitBye(within: 15)
        }

        @Test("BYE ends the MSRP session")
        func byeClosesMedia() throws {
            let confd = try ConfdProcess()
            let member = try Participant("member", in: "sip:bye@127.0.0.1", of: confd)
            #expect(try member.call.bye().status == 200)
            #expect(try member.msrp.stream.closes(within: 10))
            #expect(try member.call.bye().status == 481)
        }

        @Test("a CRLF keep-alive is answered (RFC 5626 section 4.4.1)")
        func keepAlive() throws {
            let confd = try ConfdProcess()
            let stream = try ByteStream(to: confd.tcp)
            try stream.send("\r\n\r\n")
            #expect(try stream.receive(.after(seconds: 5)) == [13, 10])
        }

        /// Over TLS the library answers no pings; nobody waits for what he was not promised (RFC 6223).
        @Test("empty lines before a request are skipped (RFC 3261 section 7.5)", arguments: SIPTransportName.allCases)
        func emptyLines(_ transport: SIPTransportName) throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(transport, to: confd, user: "alice")
            let uri = "sip:lobby@127.0.0.1"
            func options() -> String {
                sip.requestText(
                    "OPTIONS", uri, to: "<\(uri)>", fromTag: sip.newTag(), callID: sip.newCallID(), sequence: 1,
                    extra: "Contact: \(sip.contact)\r\n")
            }
            for lines in ["\r\n", "\r\n\r\n", "\r\n\r\n\r\n\r\n\r\n"] {
                // In one piece, between two requests, and octet by octet.
                try sip.send(lines + options())
                #expect(try sip.next().status == 200)
                if transport == .udp { continue }
                try sip.send(options() + lines + options() + lines)
                #expect(try sip.next().status == 200)
                #expect(try sip.next().status == 200)
                for octet in Array((lines + options()).utf8) { try sip.send([octet]) }
                #expect(try sip.next().status == 200)
            }
        }
    }
}

/// An INVITE and its CANCEL as text.
private struct RawCallProbe {
    let callID: String
    let invite: String
    let cancel: String

    init(_ sip: RawSIPClient) {
        callID = sip.newCallID()
        let (tag, branch) = (sip.newTag(), sip.newBranch())
        let uri = "sip:cancel@127.0.0.1"
        invite = sip.requestText(
            "INVITE", uri, to: "<\(uri)>", fromTag: tag, callID: callID, sequence: 1, branch: branch,
            extra: "Contact: \(sip.contact)\r\nContent-Type: application/sdp\r\n", body: Offer().text)
        cancel = sip.requestText(
            "CANCEL", uri, to: "<\(uri)>", fromTag: tag, callID: callID, sequence: 1, branch: branch)
    }
}
