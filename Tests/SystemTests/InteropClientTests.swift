import Support
import Testing

extension SystemTests {
    /// A client that behaves as the widespread one was seen to behave, byte for byte where it matters.
    @Suite("A client of the common kind works unchanged")
    struct InteropClientTests {
        private func join(_ user: String, _ confd: ConfdProcess, tls: Bool = false) throws -> Participant {
            // Its offer has no a=chatroom and no direction.
            try Participant(user, in: "sip:common@127.0.0.1", of: confd, tls: tls) { offer, _ in offer.chatroom = nil }
        }

        @Test("offer, bind, CPIM with bare LF, keep-alive", arguments: [false, true])
        func wholeSession(tls: Bool) throws {
            let confd = try ConfdProcess()
            let alice = try join("alice", confd, tls: tls)
            let answer = alice.call.response
            // RFC 7701 section 5.2: the room's answer.
            #expect(answer.attributes("accept-types") == ["message/cpim"])
            #expect(answer.attributes("accept-wrapped-types").count == 1)
            #expect(answer.attributes("setup") == ["passive"])
            #expect(answer.mediaLines.count == 1)
            #expect(answer.mediaLines[0].contains(tls ? " TCP/TLS/MSRP *" : " TCP/MSRP *"))
            #expect(answer.all("Contact")[0].contains(">;isfocus"))

            // Without a=chatroom a client is told where it is (RFC 7701 section 11).
            #expect(try !alice.msrp.nextMessage().cpimText.isEmpty)
            let bob = try join("bob", confd, tls: tls)
            _ = try bob.msrp.nextMessage()

            let body =
                "From: alice <sip:alice@127.0.0.1>\r\nTo: <sip:common@127.0.0.1>\r\n"
                + "DateTime: 2026-11-21T00:18:48.569999+00:00\r\n\r\n"
                + "MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf8\"\n\nhello from alice \u{00e9}\u{1F600}"
            let id = try alice.msrp.post(
                Array(body.utf8), extra: "Success-Report: yes\r\nFailure-Report: yes\r\n")
            #expect(try alice.msrp.response(to: id).status == 200)
            // RFC 4975 section 7.1.2: the report that was asked for.
            let report = try alice.msrp.next()
            #expect(report.word == "REPORT")
            #expect(report.messageID == "m\(id)")
            #expect(report["Status"]?.hasPrefix("000 200") == true)

            let copy = try bob.msrp.nextMessage()
            #expect(copy.flag == "$")
            #expect(copy.cpimText == "hello from alice \u{00e9}\u{1F600}")
            #expect(copy.cpim("From")?.contains("<sip:alice@127.0.0.1>") == true)
            #expect(copy["Success-Report"] == nil || copy["Success-Report"] == "no")

            // The content is the sender's to the byte, inner header and its line ends included.
            #expect(
                copy.bodyText.hasSuffix(
                    "MIME-Version: 1.0\nContent-Type: text/plain; charset=\"utf8\"\n\nhello from alice \u{00e9}\u{1F600}"
                ))

            let keepAlive = alice.msrp.newID()
            try alice.msrp.stream.send(
                alice.msrp.sendBytes(id: keepAlive, extra: "Keep-Alive: yes\r\n", body: nil))
            #expect(try alice.msrp.response(to: keepAlive).status == 200)
            try alice.leave()
            try bob.leave()
        }

        @Test("what starts with ?OTR is answered and not handed on")
        func otrStaysOut() throws {
            let confd = try ConfdProcess()
            let alice = try Participant("alice", in: "sip:otr@127.0.0.1", of: confd)
            let bob = try Participant("bob", in: "sip:otr@127.0.0.1", of: confd)
            #expect(try alice.say("?OTRv3?\nalice has requested an Off-the-Record conversation") == 200)
            #expect(try alice.say("in the clear") == 200)
            #expect(try bob.hears() == "in the clear")
        }

        @Test("nothing is sent to a client before its bind is answered (RFC 4975 section 5.4)")
        func bindComesFirst() throws {
            let confd = try ConfdProcess()
            let talker = try Participant("talker", in: "sip:first@127.0.0.1", of: confd)
            let sip = try RawSIPClient(.udp, to: confd, user: "late")
            let offer = Offer()
            let call = try sip.invite("sip:first@127.0.0.1", offer: offer.text)
            try call.ack()
            #expect(try talker.say("before the bind") == 200)
            let msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path)
            msrp.answersRequests = false
            #expect(try msrp.stream.receiveIfAny(.after(seconds: 0.3)) == nil)
            msrp.answersRequests = true
            let id = msrp.newID()
            try msrp.stream.send(msrp.sendBytes(id: id, body: nil))
            // The first octets are the response: the waiting message comes behind it.
            let first = try msrp.stream.receive(.after(seconds: 10))
            #expect(String(decoding: first, as: UTF8.self).hasPrefix("MSRP \(id) 200"))
        }

        @Test("a chat message is one SEND towards the client up to the limit, 1-*/N above 2048 octets")
        func chatIsNotCut() throws {
            let confd = try ConfdProcess()
            let alice = try Participant("alice", in: "sip:uncut@127.0.0.1", of: confd)
            let bob = try Participant("bob", in: "sip:uncut@127.0.0.1", of: confd)
            let text = String(repeating: "seventy thousand octets ", count: 3000)
            #expect(try alice.say(text) == 200)
            let copy = try bob.msrp.nextMessage()
            #expect(copy.flag == "$")
            #expect(copy.cpimText == text)
            #expect(copy["Byte-Range"]?.hasPrefix("1-*/") == true)
        }

        @Test("a client of plain text joins where the room allows it, and each side reads its own form")
        func plainText() throws {
            let confd = try ConfdProcess()
            let modern = try Participant("modern", in: "sip:forms@127.0.0.1", of: confd)
            let plain = try Participant("plain", in: "sip:forms@127.0.0.1", of: confd) { offer, _ in
                offer.acceptTypes = "text/plain"
                offer.acceptWrappedTypes = nil
            }
            #expect(plain.call.response.attributes("accept-types") == ["text/plain"])
            #expect(try modern.say("from CPIM") == 200)
            let bare = try plain.msrp.nextMessage()
            #expect(bare["Content-Type"]?.hasPrefix("text/plain") == true)
            #expect(bare.bodyText.hasSuffix(": from CPIM"))
            let id = try plain.msrp.post(Array("from plain text".utf8), contentType: "text/plain")
            #expect(try plain.msrp.response(to: id).status == 200)
            let wrapped = try modern.msrp.nextMessage()
            #expect(wrapped["Content-Type"] == "message/cpim")
            #expect(wrapped.cpimText == "from plain text")
            #expect(wrapped.cpim("From")?.contains("<sip:plain@127.0.0.1>") == true)
        }
    }
}
