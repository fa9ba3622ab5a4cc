import MSRP
import NIOCore
import Support
import Testing

@testable import RelayCore

@Suite(.serialized) struct ForwardingTests {
    @Test("RFC 4976 6.4.1: new transaction id, shifted paths, all other header fields to the octet, Content-Type last")
    func headToTheOctet() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        try client.stream.send(
            "MSRP x SEND\r\nTo-Path: \(client.toPath)\r\nFrom-Path: \(client.uri)\r\nMessage-ID: m1\r\n"
                + "byte-range:1-5/5 \r\nContent-Type: text/plain;a=\"b: c\"\r\nX-Odd:  two: parts\t\r\nX-Odd: again\r\n"
                + "X-Empty:\r\n\r\nhello\r\n-------x$\r\n")
        let frame = try peer.nextMessage()
        #expect(frame.transactionID.count == 16)
        #expect(
            frame.headText
                == "MSRP ID SEND\r\nTo-Path: \(peer.uri)\r\nFrom-Path: \(client.usePath[0]) \(client.uri)\r\n"
                + "Message-ID: m1\r\nbyte-range:1-5/5 \r\nX-Odd:  two: parts\t\r\nX-Odd: again\r\nX-Empty:\r\n"
                + "Content-Type: text/plain;a=\"b: c\"\r\n\r\n")
        #expect(frame.bodyText == "hello")
        let answer = try client.response(to: "x")
        #expect(answer.headText == "MSRP ID 200 OK\r\nTo-Path: \(client.uri)\r\nFrom-Path: \(client.usePath[0])\r\n")
        try await fixture.end()
    }

    @Test("one path shift after the other: messages both ways, pipelined, repeat the paths and keep their order")
    func manyMessages() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        for round in 0..<5 {
            let ids = try (0..<50).map { try client.postMessage("c\(round).\($0)") }
            let others = try (0..<50).map { try peer.postMessage("p\(round).\($0)") }
            for number in 0..<50 { #expect(try peer.hears() == "c\(round).\(number)") }
            for number in 0..<50 { #expect(try client.hears() == "p\(round).\(number)") }
            for id in ids { #expect(try client.response(to: id).status == 200) }
            for id in others { #expect(try peer.response(to: id).status == 200) }
        }
        let counters = await fixture.counters()
        #expect(counters.messages == 501)
        #expect(counters.reportsMade == 0)
        try await fixture.end()
    }

    @Test(
        "a body without Content-Type keeps its blank line, and `#` and `+` are passed on", arguments: ["$", "+", "#"])
    func bareBody(flag: Character) async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        try client.post(
            "SEND", fields: "Message-ID: m1\r\nByte-Range: 1-*/9\r\n", contentType: nil, body: Array("abc".utf8),
            flag: flag)
        let frame = try peer.nextMessage()
        #expect(frame.headText.hasSuffix("Message-ID: m1\r\nByte-Range: 1-*/9\r\n\r\n"))
        #expect(frame.bodyText == "abc")
        #expect(frame.flag == flag)
        try await fixture.end()
    }

    @Test("an empty body stays a body of no octets")
    func emptyBody() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        try client.post("SEND", fields: "Message-ID: m1\r\nByte-Range: 1-0/0\r\n", body: [])
        let frame = try peer.next()
        #expect(frame.body == [])
        try await fixture.end()
    }

    @Test("RFC 4975 7.3.1: without Byte-Range a SEND is the whole message")
    func noByteRange() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let id = try client.post("SEND", fields: "Message-ID: m1\r\n", body: Array("abc".utf8))
        #expect(try peer.nextMessage()["Byte-Range"] == nil)
        #expect(try client.response(to: id).status == 200)
        try await fixture.end()
    }

    @Test(
        "without Message-ID, or with one or a Byte-Range that is none, 400",
        arguments: [
            "", "Message-ID: \r\n", "Message-ID: a b\r\n", "Message-ID: m\r\nByte-Range: 0-1/2\r\n",
            "Message-ID: m\r\n folded\r\n",
        ])
    func badHeads(fields: String) async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        let id = try client.post("SEND", fields: fields, body: Array("abc".utf8))
        #expect(try client.response(to: id).status == 400)
        #expect(try client.say("still here") == 200)
        #expect(try peer.hears() == "still here")
        try await fixture.end()
    }

    @Test("keep-alives go through when there is a peer, and are answered here when there is none")
    func keepAlives() async throws {
        let fixture = try await RelayFixture()
        let lonely = try fixture.client("bob")
        lonely.peer = ["msrp://192.0.2.1:9/x;tcp"]
        #expect(try lonely.keepAlive() == 200)
        lonely.peer = []
        #expect(try lonely.bind().status == 200)
        let (client, peer) = try fixture.pair()
        #expect(try client.keepAlive() == 200)
        let frame = try peer.next()
        #expect(frame.headText.hasSuffix("Byte-Range: 1-0/0\r\nKeep-Alive: yes\r\n"))
        #expect(frame.body == nil)
        try await fixture.end()
    }

    @Test("RFC 4975 7.1.1: Failure-Report partial gets no 200, no gets nothing at all", arguments: ["partial", "no"])
    func quietSends(report: String) async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        peer.answer = .silent
        let quiet = try client.postMessage("quiet", fields: "Failure-Report: \(report)\r\n")
        let loud = try client.postMessage("loud")
        #expect(try client.response(to: loud).status == 200)
        #expect(try client.responseIfAny(to: quiet, within: 0) == nil)
        #expect(try peer.hears() == "quiet")
        await fixture.tick(after: .seconds(31))
        let report = try client.nextReport()
        #expect(report["Status"] == "000 408 Request Timeout")
        #expect(report.messageID == (try peer.nextMessage()).messageID)
        #expect(await fixture.counters().reportsMade == 1)
        try await fixture.end()
    }

    @Test("RFC 4976 6.4.1: no answer for 30 s becomes a REPORT 408")
    func timeout() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        peer.answer = .silent
        #expect(try client.say("hello") == 200)
        let message = try peer.nextMessage()
        await fixture.tick(after: .seconds(31))
        let report = try client.nextReport()
        #expect(
            report.headText
                == "MSRP ID REPORT\r\nTo-Path: \(client.uri)\r\nFrom-Path: \(client.usePath[0])\r\n"
                + "Message-ID: \(message.messageID)\r\nByte-Range: 1-5/5\r\nStatus: 000 408 Request Timeout\r\n")
        try await fixture.end()
    }

    @Test("RFC 4976 6.4.3: an error further on becomes a REPORT with its code", arguments: ["yes", "partial", nil])
    func errorsDownstream(report: String?) async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        peer.answer = .status("413 No more")
        try client.postMessage("hello", fields: report.map { "Failure-Report: \($0)\r\n" } ?? "")
        _ = try peer.nextMessage()
        let made = try client.nextReport()
        #expect(made["Status"] == "000 413 Stop Sending")
        #expect(made["Byte-Range"] == "1-5/5")
        try await fixture.end()
    }

    @Test("REPORTs are passed on whole and never answered")
    func reports() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        for number in 0..<20 {
            let id = try peer.post(
                "REPORT", fields: "Message-ID: m\(number)\r\nByte-Range: 1-3/3\r\nStatus: 000 200 OK\r\nX: y: z\r\n")
            let frame = try client.nextReport()
            #expect(
                frame.headText
                    == "MSRP ID REPORT\r\nTo-Path: \(client.uri)\r\nFrom-Path: \(client.usePath[0]) \(peer.uri)\r\n"
                    + "Message-ID: m\(number)\r\nByte-Range: 1-3/3\r\nStatus: 000 200 OK\r\nX: y: z\r\n")
            #expect(try peer.responseIfAny(to: id, within: 0) == nil)
        }
        try await fixture.end()
    }

    @Test("other requests are passed on whole, and their responses come back with all header fields")
    func otherRequests() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        peer.answer = .silent
        let id = try client.post("FILE_OFFSET", fields: "Message-ID: f1\r\nX-File: a: b\r\n", body: Array("abc".utf8))
        let request = try peer.next()
        #expect(request.word == "FILE_OFFSET")
        #expect(request.bodyText == "abc")
        #expect(request["X-File"] == "a: b")
        try peer.respond(to: request, "200 OK", extra: "Offset: 4711\r\n")
        let answer = try client.response(to: id)
        #expect(
            answer.headText
                == "MSRP ID 200 OK\r\nTo-Path: \(client.uri)\r\nFrom-Path: \(client.usePath[0]) \(peer.uri)\r\n"
                + "Offset: 4711\r\n")
        try await fixture.end()
    }

    @Test("allow_other_methods = No leaves SEND, REPORT and NICKNAME")
    func fewMethods() async throws {
        let fixture = try await RelayFixture(change: { $0.allowsOtherMethods = false })
        let (client, peer) = try fixture.pair()
        #expect(try client.response(to: client.post("FILE_OFFSET", fields: "Message-ID: f1\r\n")).status == 501)
        #expect(try client.response(to: client.post("WHATEVER")).status == 501)
        let id = try client.post("NICKNAME", fields: "Use-Nickname: \"al\"\r\n")
        #expect(try peer.next().word == "NICKNAME")
        #expect(try client.response(to: id).status == 200)
        try await fixture.end()
    }

    @Test("a request without an answer gets 408 after 30 s, and its late answer goes nowhere")
    func requestTimeout() async throws {
        let fixture = try await RelayFixture()
        let (client, peer) = try fixture.pair()
        peer.answer = .silent
        let id = try client.post("NICKNAME", fields: "Use-Nickname: \"al\"\r\n")
        let request = try peer.next()
        await fixture.tick(after: .seconds(31))
        #expect(try client.response(to: id).status == 408)
        try peer.respond(to: request)
        peer.answer = .honest
        #expect(try client.say("next") == 200)
        #expect(try peer.hears() == "next")
        try await fixture.end()
    }
}
