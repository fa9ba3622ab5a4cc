import Support
import Testing

extension SystemTests {
    @Suite("MSRP sessions")
    struct SessionTests {
        @Test(
            "a second connection for a bound session gets 506 and the first lives on (RFC 4975 section 5.4)",
            arguments: [false, true])
        func duplicatedSession(tls: Bool) throws {
            let confd = try ConfdProcess()
            let alice = try Participant("alice", in: "sip:dup@127.0.0.1", of: confd, tls: tls)
            let bob = try Participant("bob", in: "sip:dup@127.0.0.1", of: confd, tls: tls)
            let second = try RawMSRPClient(remotePath: alice.msrp.remotePath, localPath: alice.msrp.localPath)
            #expect(try second.bind().status == 506)
            #expect(try alice.say("still here") == 200)
            #expect(try bob.hears() == "still here")
        }

        @Test("an unknown session gets 481 (RFC 4975 section 10.8)")
        func unknownSession() throws {
            let confd = try ConfdProcess()
            let client = try RawMSRPClient(
                remotePath: "msrp://127.0.0.1:\(confd.msrp.port)/nobodyknowsthisone;tcp",
                localPath: "msrp://127.0.0.1:9/mine;tcp")
            #expect(try client.bind().status == 481)
        }

        @Test("a forged From is refused with 403 and reaches nobody")
        func forgedFrom() throws {
            let confd = try ConfdProcess()
            let alice = try Participant("alice", in: "sip:forge@127.0.0.1", of: confd)
            let bob = try Participant("bob", in: "sip:forge@127.0.0.1", of: confd)
            let id = try alice.msrp.post(
                RawMSRPClient.cpim(from: "sip:bob@127.0.0.1", to: "sip:forge@127.0.0.1", "it was me"))
            #expect(try alice.msrp.response(to: id).status == 403)
            #expect(try alice.say("honest") == 200)
            #expect(try bob.hears() == "honest")
        }

        @Test("an unknown method gets 501, an unwanted type 415 (RFC 4975 section 10)")
        func refusals() throws {
            let confd = try ConfdProcess()
            let alice = try Participant("alice", in: "sip:codes@127.0.0.1", of: confd)
            let id = alice.msrp.newID()
            try alice.msrp.stream.send(
                "MSRP \(id) DANCE\r\nTo-Path: \(alice.msrp.remotePath)\r\nFrom-Path: \(alice.msrp.localPath)\r\n"
                    + "-------\(id)$\r\n")
            #expect(try alice.msrp.response(to: id).status == 501)
            let typed = try alice.msrp.post(Array("<x/>".utf8), contentType: "application/unwanted")
            #expect(try alice.msrp.response(to: typed).status == 415)
            #expect(try alice.say("still here") == 200)
        }

        @Test("a message above max_message_size gets 413 (RFC 4975 section 10.5)")
        func tooLarge() throws {
            let confd = try ConfdProcess(["MSRP": ["max_message_size": "64 KiB"]])
            let alice = try Participant("alice", in: "sip:large@127.0.0.1", of: confd)
            #expect(alice.call.response.attributes("max-size") == ["65536"])
            let bob = try Participant("bob", in: "sip:large@127.0.0.1", of: confd)
            let id = try alice.post(String(repeating: "x", count: 100_000))
            #expect(try alice.msrp.response(to: id).status == 413)
            #expect(try alice.say("small") == 200)
            #expect(try bob.hears() == "small")
        }

        @Test("5 MB in chunks arrive whole, over every way of MSRP", arguments: [false, true])
        func fiveMegabytes(tls: Bool) throws {
            let confd = try ConfdProcess()
            let room = "sip:big@127.0.0.1"
            let alice = try Participant("alice", in: room, of: confd, tls: tls)
            let receivers = try (0..<3).map { try Participant("r\($0)", in: room, of: confd, tls: $0 % 2 == 1) }
            // No octet pattern that repeats at a chunk's size.
            let letters: [UInt8] = (0..<5_000_000).map { index in
                let step: Int = index % 23 + index / 8191
                return UInt8(97 + step % 26)
            }
            let text = String(decoding: letters, as: UTF8.self)
            let body = RawMSRPClient.cpim(from: alice.sip.addressOfRecord, to: room, text)
            let send: @Sendable () throws -> [UInt8] = {
                var at = 0
                var ids = [String]()
                while at < body.count {
                    let end = min(at + 60_000, body.count)
                    let id = alice.msrp.newID()
                    ids.append(id)
                    try alice.msrp.stream.send(
                        alice.msrp.sendBytes(
                            id: id, messageID: "big1", byteRange: "\(at + 1)-\(end)/\(body.count)",
                            body: Array(body[at..<end]), flag: end == body.count ? "$" : "+"))
                    at = end
                }
                for id in ids {
                    let status = try alice.msrp.response(to: id, within: 60).status
                    guard status == 200 else { throw SupportError("a chunk got \(status)") }
                }
                return []
            }
            let read = receivers.map { receiver in
                { @Sendable () throws -> [UInt8] in try receiver.msrp.nextWhole(within: 60).body }
            }
            let bodies = try concurrently([send] + read).dropFirst()
            let expected = Array(text.utf8)
            for copy in bodies {
                #expect(copy.count > expected.count)
                #expect(copy.suffix(expected.count).elementsEqual(expected))
            }
        }

        @Test("a sender that vanishes in the middle of a chunk disturbs nobody", arguments: [false, true])
        func senderVanishes(tls: Bool) throws {
            let confd = try ConfdProcess()
            let room = "sip:vanish@127.0.0.1"
            let bob = try Participant("bob", in: room, of: confd)
            let carol = try Participant("carol", in: room, of: confd, tls: true)
            for round in 0..<5 {
                let ghost = try Participant("ghost\(round)", in: room, of: confd, tls: tls)
                let body = RawMSRPClient.cpim(
                    from: ghost.sip.addressOfRecord, to: room, String(repeating: "half", count: 50_000))
                let bytes = ghost.msrp.sendBytes(id: ghost.msrp.newID(), body: body)
                try ghost.msrp.stream.send(Array(bytes[..<(bytes.count / 2)]))
                ghost.msrp.stream.reset()
                #expect(try bob.say("round \(round)") == 200)
                // What had begun is aborted; what follows is whole.
                var frame = try carol.msrp.nextMessage()
                while frame.flag != "$" { frame = try carol.msrp.nextMessage() }
                #expect(frame.cpimText == "round \(round)")
                try ghost.call.bye()
            }
        }

        @Test("a receiver that vanishes or stops reading is not felt by the others", arguments: [false, true])
        func receiverVanishes(tls: Bool) throws {
            let confd = try ConfdProcess()
            let room = "sip:stall@127.0.0.1"
            let talker = try Participant("talker", in: room, of: confd, tls: tls)
            let listener = try Participant("listener", in: room, of: confd, tls: tls)
            let stalled = try Participant("stalled", in: room, of: confd, tls: tls)
            let gone = try Participant("gone", in: room, of: confd, tls: tls)
            let text = String(repeating: "0123456789", count: 50_000)
            // 60 times 500 kB: more than max_queue_size and every socket buffer; `stalled` never reads.
            for number in 0..<60 {
                if number == 5 { gone.msrp.stream.reset() }
                let id = try talker.post("\(number) \(text)")
                #expect(try listener.hears(within: 20) == "\(number) \(text)")
                #expect(try talker.msrp.response(to: id, within: 20).status == 200)
            }
            _ = stalled
        }

        @Test("we connect to a client that answers passive or offers it (RFC 6135 section 4.2)")
        func confdIsActive() throws {
            let confd = try ConfdProcess()
            let talker = try Participant("talker", in: "sip:active@127.0.0.1", of: confd)
            let listener = try StreamListener()
            let sip = try RawSIPClient(.udp, to: confd, user: "passive")
            var offer = Offer()
            offer.port = listener.port
            offer.setup = "passive"
            offer.chatroom = ""
            let call = try sip.invite("sip:active@127.0.0.1", offer: offer.text)
            #expect(call.status == 200)
            #expect(call.response.attributes("setup") == ["active"])
            try call.ack()
            let msrp = RawMSRPClient(stream: try listener.accept(), remotePath: call.path, localPath: offer.path)
            let bind = try msrp.next()
            #expect(bind.word == "SEND")
            #expect(bind.body == nil)
            #expect(bind["To-Path"] == offer.path)
            #expect(bind["From-Path"] == call.path)
            #expect(try talker.say("we came to you") == 200)
            #expect(try msrp.nextMessage().cpimText == "we came to you")
        }

        @Test("a fingerprint in the offer must be the certificate's (RFC 8122 section 5, RFC 4975 section 14.4)")
        func fingerprint() throws {
            let confd = try ConfdProcess()
            let mine = try ClientIdentity()
            let other = try ClientIdentity()
            for presented in [mine, other] {
                let sip = try RawSIPClient(.udp, to: confd, user: "secured")
                var offer = Offer(tls: true)
                offer.chatroom = ""
                offer.extra = "a=fingerprint:\(mine.fingerprint)\r\n"
                let call = try sip.invite("sip:secure@127.0.0.1", offer: offer.text)
                #expect(call.response.attributes("fingerprint").count >= 1)
                try call.ack()
                let msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path, identity: presented.pem)
                if presented.fingerprint == mine.fingerprint {
                    #expect(try msrp.bind().status == 200)
                } else {
                    _ = try? msrp.stream.send(msrp.sendBytes(id: msrp.newID(), body: nil))
                    #expect(try msrp.stream.closes(within: 5))
                    try call.awaitBye()
                }
            }
        }

        @Test("a client with a certificate and no fingerprint, and one without any, are let in")
        func certificateIsNotRequired() throws {
            let confd = try ConfdProcess()
            for identity in [try ClientIdentity().pem, nil] {
                let sip = try RawSIPClient(.udp, to: confd, user: "anyone")
                let offer = Offer(tls: true)
                let call = try sip.invite("sip:open@127.0.0.1", offer: offer.text)
                try call.ack()
                let msrp = try RawMSRPClient(remotePath: call.path, localPath: offer.path, identity: identity)
                #expect(try msrp.bind().status == 200)
            }
        }

        @Test("TLS asked for is TLS: plain bytes on such a session are refused")
        func plainOnSecureSession() throws {
            let confd = try ConfdProcess()
            let sip = try RawSIPClient(.udp, to: confd, user: "careless")
            let offer = Offer(tls: true)
            let call = try sip.invite("sip:secure@127.0.0.1", offer: offer.text)
            try call.ack()
            let address = try RawMSRPClient.address(of: call.path)
            let msrp = RawMSRPClient(
                stream: try ByteStream(to: address), remotePath: call.path, localPath: offer.path)
            let status = try? msrp.bind().status
            #expect(status != 200)
        }

        @Test("reconnect_same_session takes the old path back, the default does not", arguments: [true, false])
        func reconnect(allowed: Bool) throws {
            let confd = try ConfdProcess(["MSRP": ["reconnect_same_session": allowed ? "Yes" : "No"]])
            let talker = try Participant("talker", in: "sip:back@127.0.0.1", of: confd)
            let member = try Participant("member", in: "sip:back@127.0.0.1", of: confd)
            member.msrp.stream.close()
            let again = try RawMSRPClient(remotePath: member.msrp.remotePath, localPath: member.msrp.localPath)
            // While confd has not seen the end of the old connection, the session is still bound to it.
            var status = try again.bind().status
            let deadline = Deadline.after(seconds: 5)
            while status == 506, !deadline.passed {
                let retry = try RawMSRPClient(remotePath: member.msrp.remotePath, localPath: member.msrp.localPath)
                status = try retry.bind().status
                if status == 200 {
                    #expect(try talker.say("welcome back") == 200)
                    #expect(try retry.nextMessage().cpimText == "welcome back")
                    return
                }
            }
            #expect(status == (allowed ? 200 : 481))
            if allowed {
                #expect(try talker.say("welcome back") == 200)
                #expect(try again.nextMessage().cpimText == "welcome back")
            }
        }

        @Test("egress = public does not connect to loopback at a peer's word (RFC 4975 section 14.5)")
        func egress() throws {
            let confd = try ConfdProcess(["MSRP": ["egress": "public"]])
            let listener = try StreamListener()
            let sip = try RawSIPClient(.udp, to: confd, user: "luring")
            var offer = Offer()
            offer.port = listener.port
            offer.setup = "passive"
            let call = try sip.invite("sip:lured@127.0.0.1", offer: offer.text)
            // Refused at once, or ended when the connection may not be made.
            if call.status == 200 {
                try call.ack()
                try call.awaitBye(within: 15)
            }
            #expect(throws: SupportError.self) { try listener.accept(within: 0.2) }
        }
    }
}
