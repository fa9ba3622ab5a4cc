import Foundation
import Support
import Testing

extension SystemTests {
    /// A room that the test plays, so that each octet that `confd chat` says is seen and any answer can be given.
    @Suite("confd chat: files, on the wire (RFC 5547)")
    struct ChatFileWireTests {
        private static let sha1 = "1F:8A:C1:0F:23:C5:B5:BC:11:67:BD:A8:4B:83:3E:5C:05:7A:77:D2"
        private static let sha256 =
            "BE:F5:7E:C7:F5:3A:6D:40:BE:B6:40:A7:80:A6:39:C8:3B:C2:9A:C8:A9:81:6F:1F:C6:C5:C6:DC:D9:3C:47:21"

        private final class Room {
            let sip: RawSIPClient
            let listener: StreamListener
            let folder: TemporaryFolder
            let chat: ChildProcess
            let session: RawMSRPClient

            init() throws {
                sip = try RawSIPClient(.udp, to: SocketAddress(host: "127.0.0.1", port: 9), user: "room")
                try sip.listen()
                listener = try StreamListener()
                folder = try TemporaryFolder()
                chat = try ChildProcess(
                    ConfdProcess.executable,
                    ["chat", "sip:room@127.0.0.1:\(sip.localPort)", "--as", "sip:bob@127.0.0.1", "--transport", "tcp"],
                    folder: folder.path, name: "chat", hasInput: true)
                let call = try sip.incomingCall()
                session = try Self.answer(
                    call, listener, "chat", ["accept-types:message/cpim", "accept-wrapped-types:*", "chatroom"])
            }

            func answer(_ call: RawIncomingCall, _ lines: String...) throws -> RawMSRPClient {
                try Self.answer(call, listener, "file", lines)
            }

            /// 200 with this description, and the session that is bound then.
            private static func answer(
                _ call: RawIncomingCall, _ listener: StreamListener, _ id: String, _ lines: [String]
            ) throws -> RawMSRPClient {
                let path = "msrp://127.0.0.1:\(listener.port)/\(id);tcp"
                let head = [
                    "v=0", "o=- 1 1 IN IP4 127.0.0.1", "s=-", "c=IN IP4 127.0.0.1", "t=0 0",
                    "m=message \(listener.port) TCP/MSRP *", "a=path:\(path)", "a=setup:passive",
                ]
                let description = head + lines.map { "a=\($0)" }
                try call.answer(description.map { "\($0)\r\n" }.joined())
                let session = RawMSRPClient(stream: try listener.accept(), remotePath: call.path, localPath: path)
                let bind = try session.next()
                #expect(bind.word == "SEND" && bind.body == nil && bind["Byte-Range"] == "1-0/0")
                #expect(bind["To-Path"] == path && bind["From-Path"] == call.path)
                return session
            }

            func notice(_ text: String) throws -> String {
                try chat.line(startingWith: "* \(text)", onError: true, within: 20)
            }

            /// Tells of the file whose octets are `abcdef`.
            func announce(_ name: String, as shown: String = "a.txt", hash: String) throws {
                let head =
                    "From: <sip:room@127.0.0.1>\r\nTo: <sip:room@127.0.0.1>\r\nNS: confd <urn:x-confd:room>\r\n"
                    + "confd.Event: file\r\nconfd.File: name=\"\(name)\"; type=text/plain; size=6; \(hash); "
                    + "sender=<sip:alice@127.0.0.1>\r\n\r\nContent-Type: text/plain\r\n\r\nalice shared \(name)"
                try session.post(Array(head.utf8))
                _ = try notice("alice put \(shown) into the room (text/plain, 6 B); /get 1")
            }

            func leave(status: Int32) throws {
                chat.closeInput()
                try sip.acknowledgeBye()
                #expect(try chat.waitForExit(within: 20) == .exited(status), "\(chat.standardError)")
            }

            var files: [String] {
                get throws {
                    try FileManager.default.contentsOfDirectory(atPath: folder.path).filter { !$0.hasPrefix("chat.") }
                        .sorted()
                }
            }
        }

        private func lines(_ call: RawIncomingCall) -> [String] {
            call.offer.split(whereSeparator: \.isNewline).map(String.init)
        }

        //  chat                                   room
        //    | INVITE sendonly, file-selector ---> |
        //    | <------------- 200 recvonly, path   |
        //    | SEND (bind) ----------------------> |
        //    | FILE_OFFSET ----------------------> |
        //    | <------------------- 200 Offset: 0  |
        //    | SEND 1-6/6 -----------------------> |
        //    | <---------------------- 200, REPORT |
        //    | BYE ------------------------------> |
        @Test("RFC 5547 8.2.1: a push says what the file is, sends it whole, and ends with BYE")
        func push() throws {
            let room = try Room()
            _ = try room.notice("joined")
            let path = try room.folder.write("abcdef", to: "a \"b\".txt")
            try room.chat.write("/send \(path)\n")
            let call = try room.sip.incomingCall()
            #expect(call.invite.requestURI.hasPrefix("sip:room@127.0.0.1:\(room.sip.localPort)"))
            let offer = lines(call)
            #expect(offer.contains("m=message 9 TCP/MSRP *"))
            #expect(
                offer.contains("a=sendonly") && offer.contains("a=accept-types:*") && offer.contains("a=setup:active"))
            #expect(
                offer.contains(
                    "a=file-selector:name:\"a _b_.txt\" type:text/plain size:6 hash:sha-1:\(Self.sha1) "
                        + "hash:sha-256:\(Self.sha256)"))
            #expect(offer.contains { $0.hasPrefix("a=file-transfer-id:") })
            #expect(!offer.contains { $0.hasPrefix("a=file-range") || $0.hasPrefix("a=chatroom") })
            let session = try room.answer(call, "recvonly", "accept-types:*")
            session.answersRequests = false
            let question = try session.next()
            #expect(question.word == "FILE_OFFSET")
            try session.respond(to: question, "501 Not Implemented")
            let chunk = try session.next()
            #expect(chunk["Byte-Range"] == "1-6/6" && chunk["Content-Type"] == "text/plain" && chunk.flag == "$")
            #expect(chunk.bodyText == "abcdef" && chunk["Success-Report"] == "yes")
            try session.respond(to: chunk)
            #expect(!room.chat.standardError.contains("sent a"))
            try session.stream.send(
                "MSRP rrrr REPORT\r\nTo-Path: \(call.path)\r\nFrom-Path: \(session.localPath)\r\n"
                    + "Message-ID: \(chunk.messageID)\r\nByte-Range: 1-6/6\r\nStatus: 000 200 OK\r\n-------rrrr$\r\n")
            try call.awaitBye()
            _ = try room.notice("sent a _b_.txt: 6 B in ")
            try room.leave(status: 0)
        }

        @Test("RFC 5547 6: a pull asks for what is missing; MSRP counts it from 1", arguments: [false, true])
        func pull(ignoresRange: Bool) throws {
            let room = try Room()
            try room.announce("a.txt", hash: "sha-256=\(Self.sha256)")
            _ = try room.folder.write("abc", to: "a.txt.bef57ec7f53a.part")
            _ = try room.folder.write("mine", to: "a.txt")
            try room.chat.write("/get 1 \(room.folder.path)\n")
            let call = try room.sip.incomingCall()
            let offer = lines(call)
            #expect(offer.contains("a=recvonly") && offer.contains("a=file-range:4-*"))
            #expect(
                offer.contains("a=file-selector:name:\"a.txt\" type:text/plain size:6 hash:sha-256:\(Self.sha256)"))
            let session = try room.answer(call, "sendonly", "accept-types:*", "file-range:4-*")
            let body = ignoresRange ? "abcdef" : "def"
            try session.stream.send(
                session.sendBytes(
                    id: "c1c1", messageID: "m1", byteRange: "1-2/\(body.utf8.count)", contentType: "text/plain",
                    extra: "Success-Report: yes\r\n", body: Array(body.utf8.prefix(2)), flag: "+"))
            #expect(try session.response(to: "c1c1").status == 200)
            #expect(try session.next()["Byte-Range"] == "1-2/\(body.utf8.count)")
            try session.stream.send(
                session.sendBytes(
                    id: "c2c2", messageID: "m1", byteRange: "3-*/\(body.utf8.count)", contentType: "text/plain",
                    body: Array(body.utf8.dropFirst(2))))
            #expect(try session.response(to: "c2c2").status == 200)
            try call.awaitBye()
            _ = try room.notice("got \(room.folder.path)/a (1).txt: \(ignoresRange ? 6 : 3) B in ")
            #expect(try String(contentsOfFile: "\(room.folder.path)/a (1).txt", encoding: .utf8) == "abcdef")
            #expect(try room.files == ["a (1).txt", "a.txt"])
            try room.leave(status: 0)
        }

        @Test("what comes is not what was announced: it is thrown away, whatever the room calls it")
        func otherFile() throws {
            let room = try Room()
            try room.announce("../../a.txt", hash: "sha-1=\(Self.sha1)")
            try room.chat.write("/get 1 \(room.folder.path)\n")
            let call = try room.sip.incomingCall()
            #expect(lines(call).contains { $0.hasSuffix("hash:sha-1:\(Self.sha1)") })
            let session = try room.answer(call, "sendonly", "accept-types:*")
            try session.post(
                Array("abcdeX".utf8), contentType: "text/plain",
                extra: "Content-Disposition: attachment; filename=\"/etc/passwd\"\r\n")
            try call.awaitBye()
            _ = try room.notice(
                "getting a.txt failed: what came is not the file that was announced: its sha-1 is another one")
            #expect(try room.files.isEmpty)
            try room.leave(status: 4)
        }

        @Test("more than was announced is refused at once (413); of what is cut short the part is kept")
        func cutShort() throws {
            let room = try Room()
            try room.announce("a.txt", hash: "sha-256=\(Self.sha256)")
            try room.chat.write("/get 1 \(room.folder.path)\n")
            var call = try room.sip.incomingCall()
            var session = try room.answer(call, "sendonly", "accept-types:*")
            #expect(
                try session.response(to: session.post(Array("abcdefg".utf8), contentType: "text/plain")).status == 413)
            try session.stream.send(
                session.sendBytes(
                    id: "c1c1", byteRange: "1-3/6", contentType: "text/plain", body: Array("abc".utf8), flag: "+"))
            #expect(try session.response(to: "c1c1").status == 200)
            session.stream.close()
            try call.awaitBye()
            _ = try room.notice(
                "getting a.txt failed: the other side closed the connection; 3 B are kept, /get it again to go on")
            #expect(try room.files == ["a.txt.bef57ec7f53a.part"])
            // Who declines is told in words, and the next one waits for nobody.
            try room.chat.write("/get 1 \(room.folder.path)\n/get 1 \(room.folder.path)\n")
            call = try room.sip.incomingCall()
            try call.decline("403 Forbidden", extra: "Warning: 399 room \"only participants\"\r\n")
            _ = try room.notice(
                "getting a.txt failed: only who takes part in the room may: 403 Forbidden (399 room \"only participants\")"
            )
            call = try room.sip.incomingCall()
            session = try room.answer(call, "sendonly", "accept-types:*", "file-range:4-*")
            try room.chat.write("/cancel\n")
            try call.awaitBye()
            _ = try room.notice("getting a.txt was stopped")
            try room.leave(status: 4)
        }
    }
}

extension RawSIPClient {
    /// The BYE of the chat's own call.
    fileprivate func acknowledgeBye() throws {
        let bye = try request("BYE")
        try respond(to: bye)
    }
}
