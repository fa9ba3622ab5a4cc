import Foundation
import Support
import Testing

extension SystemTests {
    /// What the sender is told when a message does not arrive (RFC 4976 section 6.4.1, RFC 4975 section 7.1.1).
    @Suite("The relay: failures and reports")
    struct RelayReportTests {
        /// A value of Failure-Report; nil: the field is absent, which means yes.
        static let wishes: [String?] = [nil, "yes", "partial", "no"]

        static func fields(_ wish: String?) -> String { wish.map { "Failure-Report: \($0)\r\n" } ?? "" }

        /// A REPORT that the relay made itself, on behalf of the next hop.
        static func expect(
            _ report: MSRPFrame, status: String, messageID: String, range: String?, sender: RawRelayClient,
            sourceLocation: SourceLocation = #_sourceLocation
        ) {
            #expect(report["Status"]?.hasPrefix("000 \(status)") == true, "\(report)", sourceLocation: sourceLocation)
            #expect(report["Message-ID"] == messageID, sourceLocation: sourceLocation)
            if let range { #expect(report["Byte-Range"] == range, sourceLocation: sourceLocation) }
            #expect(report["To-Path"] == sender.uri, sourceLocation: sourceLocation)
            #expect(report["From-Path"] != nil, sourceLocation: sourceLocation)
            #expect(report["Success-Report"] == nil, sourceLocation: sourceLocation)
            #expect(report["Failure-Report"] == nil, sourceLocation: sourceLocation)
            #expect(report.body == nil, sourceLocation: sourceLocation)
            #expect(report.flag == "$", sourceLocation: sourceLocation)
        }

        @Test("200 comes from the relay itself, for Failure-Report yes or absent alone", arguments: wishes)
        func hopResponses(_ wish: String?) throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            for (sender, receiver) in [(client, outsider), (outsider, client)] {
                receiver.answer = .silent
                let id = try sender.postMessage("hop", fields: Self.fields(wish))
                #expect(try receiver.nextMessage()["Failure-Report"] == wish)
                if wish == nil || wish == "yes" {
                    let response = try sender.response(to: id)
                    #expect(response.status == 200)
                    #expect(response["To-Path"] == sender.uri)
                    #expect(response["From-Path"] == client.usePath[0])
                } else {
                    #expect(try sender.leftovers().isEmpty)
                }
                receiver.answer = .honest
            }
        }

        @Test("a refusal downstream comes back as a REPORT with its code", arguments: wishes)
        func refusal(_ wish: String?) throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            for (sender, receiver) in [(client, outsider), (outsider, client)] {
                for status in ["413 Stop", "415 No such type", "403 Never", "400 What", "423 Bounds", "599 Odd"] {
                    receiver.answer = .status(status)
                    let id = try sender.postMessage(
                        Array("refused".utf8), messageID: "r1", fields: Self.fields(wish))
                    _ = try receiver.nextMessage()
                    if wish == nil || wish == "yes" { #expect(try sender.response(to: id).status == 200) }
                    if wish == "no" {
                        #expect(try sender.leftovers(after: 0.1).isEmpty)
                    } else {
                        Self.expect(
                            try sender.nextReport(), status: String(status.prefix(3)), messageID: "r1", range: "1-7/7",
                            sender: sender)
                    }
                }
                receiver.answer = .honest
                #expect(try sender.leftovers(after: 0.1).isEmpty)
            }
        }

        @Test("no answer in transaction_timeout: REPORT 408 for yes, nothing for partial and no", arguments: wishes)
        func timeout(_ wish: String?) throws {
            let relay = try RelayProcess(["MSRP": ["transaction_timeout": "1 s"]])
            let (client, outsider) = try relay.pair()
            outsider.answer = .silent
            let id = try client.postMessage(Array("lost".utf8), messageID: "t1", fields: Self.fields(wish))
            _ = try outsider.nextMessage()
            let sent = Date()
            if wish == nil || wish == "yes" {
                #expect(try client.response(to: id).status == 200)
                Self.expect(
                    try client.nextReport(within: 8), status: "408", messageID: "t1", range: "1-4/4", sender: client)
                #expect(Date().timeIntervalSince(sent) > 0.7)
            } else {
                #expect(try client.leftovers(after: 2.5).isEmpty)
            }
        }

        @Test("the receiver's end: REPORT 408 for what it had not answered, then the connection is closed")
        func receiverGone() throws {
            let relay = try RelayProcess()
            for wish in Self.wishes {
                let (client, outsider) = try relay.pair()
                outsider.answer = .silent
                let id = try client.postMessage(Array("lost".utf8), messageID: "g1", fields: Self.fields(wish))
                _ = try outsider.nextMessage()
                if wish == nil || wish == "yes" { #expect(try client.response(to: id).status == 200) }
                outsider.stream.reset()
                if wish == nil || wish == "yes" {
                    Self.expect(
                        try client.nextReport(), status: "408", messageID: "g1", range: "1-4/4", sender: client)
                }
                #expect(client.closes(within: 5))
                #expect(wish != "no" || (try? client.leftovers(after: 0))?.isEmpty != false)
            }
        }

        @Test("a peer that cannot be reached: a REPORT, and nothing for Failure-Report: no", arguments: wishes)
        func connectFails(_ wish: String?) throws {
            let relay = try RelayProcess()
            let client = try relay.client()
            // Bound once, so that nobody else is there, and given back.
            let port = try StreamListener().port
            client.peer = ["msrp://127.0.0.1:\(port)/nobody;tcp"]
            let id = try client.postMessage(Array("lost".utf8), messageID: "c1", fields: Self.fields(wish))
            if wish == nil || wish == "yes" { #expect(try client.response(to: id).status == 200) }
            if wish == "no" {
                #expect((try? client.leftovers())?.isEmpty != false)
            } else {
                let report = try client.nextReport()
                #expect(report["Status"]?.hasPrefix("000 4") == true, "\(report)")
                Self.expect(report, status: "4", messageID: "c1", range: "1-4/4", sender: client)
            }
        }

        @Test("where egress forbids it the relay does not connect, and says so (RFC 4976 section 9.3)")
        func egress() throws {
            let relay = try RelayProcess(["MSRP": ["egress": "public"]])
            let client = try relay.client()
            let listener = try StreamListener()
            client.peer = ["msrp://127.0.0.1:\(listener.port)/inside;tcp"]
            _ = try client.postMessage(Array("lost".utf8), messageID: "e1")
            let report = try client.nextReport()
            #expect(report["Status"]?.hasPrefix("000 4") == true, "\(report)")
            #expect(throws: SupportError.self) { try listener.accept(within: 0.2) }
        }

        @Test("REPORTs of the receiver go the whole way, and are never answered")
        func reportsForwarded() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            for (sender, receiver) in [(client, outsider), (outsider, client)] {
                let id = try sender.post(
                    "REPORT",
                    fields: "Message-ID: far\r\nByte-Range: 1-5/5\r\nX-More: a: b\r\nStatus: 000 413 Enough\r\n")
                let report = try receiver.nextReport()
                #expect(report["Status"] == "000 413 Enough")
                #expect(report["X-More"] == "a: b")
                #expect(report["Message-ID"] == "far")
                #expect(try sender.responseIfAny(to: id, within: 0.2) == nil)
                #expect(try receiver.leftovers(after: 0.1).isEmpty)
            }
        }

        @Test("a response that nobody waits for, and one with a foreign To-Path, are dropped (RFC 4976 section 6.4.3)")
        func strayResponses() throws {
            let relay = try RelayProcess()
            let (client, outsider) = try relay.pair()
            for sender in [client, outsider] {
                for to in [client.usePath[0], "msrp://127.0.0.1:9/x;tcp", sender.toPath] {
                    try sender.stream.send(
                        "MSRP stray1 200 OK\r\nTo-Path: \(to)\r\nFrom-Path: \(sender.uri)\r\n-------stray1$\r\n"
                            + "MSRP stray2 481 No\r\nTo-Path: \(to)\r\nFrom-Path: \(sender.uri)\r\n-------stray2$\r\n")
                }
            }
            #expect(try outsider.say("fine") == 200)
            #expect(try client.hears() == "fine")
            #expect(try client.leftovers(after: 0.1).isEmpty)
            #expect(try outsider.leftovers(after: 0.1).isEmpty)
        }
    }
}
