import MSRP
import MSRPTransport
import NIOCore
import Support
import Testing

@Suite("Several sessions on one connection (RFC 4975 section 5.4)", .serialized)
struct SharingTests {
    @Test("each session's owner gets its own messages, and all answers go back over the one connection")
    func dispatches() async throws {
        let fixture = try await TransportFixture()
        let (first, firstLog) = await fixture.reserve(sharing: .members)
        let (second, secondLog) = await fixture.reserve(sharing: .members)
        let stream = try fixture.connect()
        try stream.send(
            emptySend(first, id: "a1a1a1a1") + send(second, "hello", id: "b2b2b2b2")
                + send(first, "hello to you", id: "c3c3c3c3") + emptySend(second, id: "d4d4d4d4"))
        let expected =
            response(first, "200 OK", id: "a1a1a1a1") + response(second, "200 OK", id: "b2b2b2b2")
            + response(first, "200 OK", id: "c3c3c3c3") + response(second, "200 OK", id: "d4d4d4d4")
        #expect(try stream.expect(expected) == expected)
        #expect(firstLog.events == ["bound", "end SEND", "body 12", "end SEND"])
        #expect(secondLog.events == ["bound", "body 5", "end SEND", "end SEND"])
        #expect(await fixture.transport.counters().connections == 1)
        try await fixture.end()
    }

    @Test("the messages may come in pieces of one octet")
    func dispatchesByteByByte() async throws {
        let fixture = try await TransportFixture()
        let (first, firstLog) = await fixture.reserve(sharing: .relaySessions)
        let (second, secondLog) = await fixture.reserve(sharing: .relaySessions)
        let stream = try fixture.connect()
        let bytes = emptySend(first, id: "a1a1a1a1") + send(second, "x", id: "b2b2b2b2") + send(first, "y", id: "c3c3")
        for octet in Array(bytes.utf8) { try stream.send([octet]) }
        let expected =
            response(first, "200 OK", id: "a1a1a1a1") + response(second, "200 OK", id: "b2b2b2b2")
            + response(first, "200 OK", id: "c3c3")
        #expect(try stream.expect(expected) == expected)
        #expect(firstLog.events == ["bound", "end SEND", "body 1", "end SEND"])
        #expect(secondLog.events == ["bound", "body 1", "end SEND"])
        try await fixture.end()
    }

    @Test("responses and reports go to the session in their To-Path, and to nobody when it is unknown")
    func responses() async throws {
        let fixture = try await TransportFixture()
        let (first, firstLog) = await fixture.reserve(sharing: .members)
        let (second, secondLog) = await fixture.reserve(sharing: .members)
        let stream = try fixture.connect()
        try stream.send(emptySend(first, id: "a1a1a1a1") + emptySend(second, id: "b2b2b2b2"))
        let bound = response(first, "200 OK", id: "a1a1a1a1") + response(second, "200 OK", id: "b2b2b2b2")
        #expect(try stream.expect(bound) == bound)
        await fixture.transport.perform { _ in
            for log in [firstLog, secondLog] { log.owner?.value.isAnswering = false }
        }
        func paths(_ session: String) -> String {
            "To-Path: msrp://127.0.0.1:2855/\(session);tcp\r\nFrom-Path: msrp://127.0.0.1:9/peer;tcp\r\n"
        }
        try stream.send(
            "MSRP e5e5e5e5 200 OK\r\n\(paths(second))-------e5e5e5e5$\r\n"
                + "MSRP f6f6f6f6 REPORT\r\n\(paths(first))-------f6f6f6f6$\r\n"
                + "MSRP 97979797 403\r\n\(paths("nobody"))-------97979797$\r\n"
                + "MSRP 98989898 REPORT\r\n\(paths("nobody"))-------98989898$\r\n")
        try await fixture.until { _ in firstLog.events.count == 3 }
        try stream.send(emptySend(second, id: "aaaa"))
        try await fixture.until { _ in secondLog.events.count == 4 }
        #expect(firstLog.events == ["bound", "end SEND", "end REPORT"])
        #expect(secondLog.events == ["bound", "end SEND", "end 200", "end SEND"])
        try await fixture.end()
    }

    @Test("an owner that wants its connection alone keeps it alone: other sessions get 481, their bodies are skipped")
    func alone() async throws {
        let fixture = try await TransportFixture()
        let (first, firstLog) = await fixture.reserve()
        for sharing in [ConnectionSharing.alone, .members] {
            let (second, secondLog) = await fixture.reserve(sharing: sharing)
            let stream = try fixture.connect()
            let (own, _) = await fixture.reserve(sharing: sharing == .alone ? .members : .alone)
            let bytes =
                emptySend(own, id: "a1a1a1a1") + send(second, "no -------b2b2b2b2", id: "b2b2b2b2")
                + emptySend(own, id: "c3c3c3c3")
            try stream.send(bytes)
            let expected =
                response(own, "200 OK", id: "a1a1a1a1")
                + response(second, "481 No Such Session", id: "b2b2b2b2") + response(own, "200 OK", id: "c3c3c3c3")
            #expect(try stream.expect(expected) == expected)
            #expect(secondLog.events == [])
        }
        #expect(firstLog.events == [])
        _ = first
        try await fixture.end()
    }

    @Test("members and relay sessions don't mix")
    func kinds() async throws {
        let fixture = try await TransportFixture()
        let (member, _) = await fixture.reserve(sharing: .members)
        let (relayed, log) = await fixture.reserve(sharing: .relaySessions)
        let stream = try fixture.connect()
        try stream.send(emptySend(member, id: "a1a1a1a1") + emptySend(relayed, id: "b2b2b2b2"))
        let expected =
            response(member, "200 OK", id: "a1a1a1a1") + response(relayed, "481 No Such Session", id: "b2b2b2b2")
        #expect(try stream.expect(expected) == expected)
        #expect(log.events == [])
        try await fixture.end()
    }

    @Test("a session's owner may refuse a connection, with the status it wants")
    func admission() async throws {
        let fixture = try await TransportFixture()
        let (refusing, log) = await fixture.reserve(admission: .no(.forbidden))
        let stream = try fixture.connect()
        try stream.send(send(refusing, "let me in", id: "a1a1a1a1"))
        let refusal = response(refusing, "403 Forbidden", id: "a1a1a1a1")
        #expect(try stream.expect(refusal) == refusal)
        #expect(log.events == [])
        try await fixture.end()
    }

    @Test("a session may have two connections when its owner admits the second, and each is told apart")
    func twoConnections() async throws {
        let fixture = try await TransportFixture()
        let (session, log) = await fixture.reserve(admission: .yes)
        let first = try fixture.connect()
        try first.send(emptySend(session, id: "a1a1a1a1"))
        let one = response(session, "200 OK", id: "a1a1a1a1")
        #expect(try first.expect(one) == one)
        let second = try fixture.connect()
        try second.send(emptySend(session, id: "b2b2b2b2"))
        let two = response(session, "200 OK", id: "b2b2b2b2")
        #expect(try second.expect(two) == two)
        #expect(log.events == ["bound", "end SEND", "bound", "end SEND"])
        first.close()
        try await fixture.until { _ in log.events.count == 5 }
        try second.send(emptySend(session, id: "c3c3c3c3"))
        let three = response(session, "200 OK", id: "c3c3c3c3")
        #expect(try second.expect(three) == three)
        try await fixture.end()
    }

    @Test(
        "with several sessions an unknown one gets 481, what has no To-Path is skipped, and the others' messages go on")
    func unknown() async throws {
        let fixture = try await TransportFixture()
        let (first, _) = await fixture.reserve(sharing: .members)
        let (second, _) = await fixture.reserve(sharing: .members)
        let stream = try fixture.connect()
        try stream.send(
            emptySend(first, id: "a1a1a1a1") + emptySend(second, id: "b2b2b2b2")
                + send("nobody", "to whom?", id: "c3c3c3c3")
                + "MSRP d4d4d4d4 SEND\r\nFrom-Path: msrp://127.0.0.1:9/peer;tcp\r\n\r\nbody\r\n-------d4d4d4d4$\r\n"
                + emptySend(second, id: "e5e5e5e5"))
        let expected =
            response(first, "200 OK", id: "a1a1a1a1") + response(second, "200 OK", id: "b2b2b2b2")
            + response("nobody", "481 No Such Session", id: "c3c3c3c3")
            + response(second, "200 OK", id: "e5e5e5e5")
        #expect(try stream.expect(expected) == expected)
        try await fixture.end()
    }

    @Test("an owner that leaves in mid-message gets no more of it; the others stay, and the last to go frees it")
    func unbinding() async throws {
        let fixture = try await TransportFixture()
        for leaver in 0..<3 {
            var sessions: [String] = []
            var logs: [OwnerLog] = []
            for index in 0..<3 {
                let (session, log) = await fixture.reserve(sharing: .members) { owner, part, connection in
                    guard index == leaver, case .body = part else { return }
                    connection.leave(owner, closing: .now)
                    connection.leave(owner, closing: .now)
                }
                sessions.append(session)
                logs.append(log)
            }
            let stream = try fixture.connect()
            var bytes = ""
            var expected = ""
            for index in 0..<3 {
                bytes += emptySend(sessions[index], id: "aaaa\(index)")
                expected += response(sessions[index], "200 OK", id: "aaaa\(index)")
            }
            bytes += send(sessions[leaver], "good-bye", id: "bbbb")
            for index in 0..<3 where index != leaver {
                bytes += send(sessions[index], "hello", id: "cccc\(index)")
                expected += response(sessions[index], "200 OK", id: "cccc\(index)")
            }
            try stream.send(bytes)
            #expect(try stream.expect(expected) == expected)
            for index in 0..<3 {
                #expect(
                    logs[index].events
                        == (index == leaver
                            ? ["bound", "end SEND", "body 8"] : ["bound", "end SEND", "body 5", "end SEND"]))
            }
            // Its id is free again.
            let second = try fixture.connect()
            try second.send(emptySend(sessions[leaver], id: "dddd"))
            let bound = response(sessions[leaver], "200 OK", id: "dddd")
            #expect(try second.expect(bound) == bound)
            stream.close()
            second.close()
            try await fixture.until { $0.counters.connections == 0 }
        }
        try await fixture.end()
    }

    @Test("all owners are told when the connection closes, once")
    func closing() async throws {
        let fixture = try await TransportFixture()
        let (first, firstLog) = await fixture.reserve(sharing: .members)
        let (second, secondLog) = await fixture.reserve(sharing: .members)
        let stream = try fixture.connect()
        try stream.send(emptySend(first, id: "a1a1a1a1") + emptySend(second, id: "b2b2b2b2"))
        let bound = response(first, "200 OK", id: "a1a1a1a1") + response(second, "200 OK", id: "b2b2b2b2")
        #expect(try stream.expect(bound) == bound)
        stream.reset()
        try await fixture.until { $0.counters.connections == 0 }
        #expect(firstLog.events == ["bound", "end SEND", "closed failed"])
        #expect(secondLog.events == ["bound", "end SEND", "closed failed"])
        // Both ids may be bound again.
        let again = try fixture.connect()
        try again.send(emptySend(second, id: "c3c3c3c3") + emptySend(first, id: "d4d4d4d4"))
        let rebound = response(second, "200 OK", id: "c3c3c3c3") + response(first, "200 OK", id: "d4d4d4d4")
        #expect(try again.expect(rebound) == rebound)
        try await fixture.end()
    }

    @Test("the bytes between messages are offered to an owner only while it is the only one")
    func rawReads() async throws {
        let fixture = try await TransportFixture()
        let (first, firstLog) = await fixture.reserve(sharing: .members)
        let (second, secondLog) = await fixture.reserve(sharing: .members)
        let stream = try fixture.connect()
        try stream.send(emptySend(first, id: "a1a1a1a1"))
        _ = try stream.expect(response(first, "200 OK", id: "a1a1a1a1"))
        try stream.send(emptySend(first, id: "b2b2b2b2"))
        _ = try stream.expect(response(first, "200 OK", id: "b2b2b2b2"))
        #expect(firstLog.rawReads == 1)
        try stream.send(emptySend(second, id: "c3c3c3c3"))
        _ = try stream.expect(response(second, "200 OK", id: "c3c3c3c3"))
        #expect(firstLog.rawReads == 2)
        try stream.send(emptySend(first, id: "d4d4d4d4") + emptySend(second, id: "e5e5e5e5"))
        let both = response(first, "200 OK", id: "d4d4d4d4") + response(second, "200 OK", id: "e5e5e5e5")
        #expect(try stream.expect(both) == both)
        #expect(firstLog.rawReads == 2)
        #expect(secondLog.rawReads == 0)
        try await fixture.end()
    }

    @Test("a URI that only looks like a session's does not reach it")
    func lookalikes() async throws {
        let fixture = try await TransportFixture()
        let (first, log) = await fixture.reserve(sharing: .members)
        let (second, _) = await fixture.reserve(sharing: .members)
        let stream = try fixture.connect()
        try stream.send(emptySend(first, id: "a1a1a1a1") + emptySend(second, id: "b2b2b2b2"))
        let bound = response(first, "200 OK", id: "a1a1a1a1") + response(second, "200 OK", id: "b2b2b2b2")
        #expect(try stream.expect(bound) == bound)
        for path in [
            "msrp://127.0.0.1:2855/x\(first);tcp", "msrp://127.0.0.1:2855/\(first)x;tcp", "msrp://127.0.0.1:2855;tcp",
            "msrp://other:1/a msrp://127.0.0.1:2855/\(first);tcp", "msrp://h/\(first)", "\(first)", "/\(first)",
            "msrp://h/\(second.dropLast());tcp;x=/\(first)", ";", "msrp://h/a;tcp msrp://h/\(first);tcp",
        ] {
            try stream.send(
                "MSRP c3c3c3c3 SEND\r\nTo-Path: \(path)\r\nFrom-Path: msrp://127.0.0.1:9/peer;tcp\r\n-------c3c3c3c3$\r\n"
                    + emptySend(second, id: "d4d4d4d4"))
            let end = response(second, "200 OK", id: "d4d4d4d4")
            var text = ""
            while !text.hasSuffix(end) {
                text += String(decoding: try stream.receive(.after(seconds: 5)), as: UTF8.self)
            }
            // Without a To-Path there is nobody to answer.
            #expect(text == end || text.hasPrefix("MSRP c3c3c3c3 4"), "\(path)")
        }
        #expect(log.events == ["bound", "end SEND"])
        // Behind address rewriting only the end of the URI is ours.
        try stream.send(
            "MSRP e5e5e5e5 SEND\r\nTo-Path: msrps://u@[::1]:9/some/\(first);tcp;p msrp://h/b;tcp\r\n"
                + "From-Path: msrp://127.0.0.1:9/peer;tcp\r\n-------e5e5e5e5$\r\n")
        try await fixture.until { _ in log.events.count == 3 }
        try await fixture.end()
    }
}
