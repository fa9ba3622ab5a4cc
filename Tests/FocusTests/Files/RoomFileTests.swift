import FileSpool
import MediaMixer
import Payloads
import Support
import Testing

@testable import Focus
@testable import SIP

@Suite("A room's files: in its roster, pushed on, and gone in time")
struct RoomFileTests {
    private let room = Bench.room

    private func subscribe(_ bench: Bench) async throws -> ConferenceInfo {
        let request = Request.make(
            "SUBSCRIBE", "sip:lobby@example.com", headers: ["Event": "conference", "Expires": "600"])
        let transaction = bench.nextTransaction()
        await bench.focus.handle(.request(transaction, request))
        #expect(try await bench.nextAnswer().status == 200)
        return try await document(bench)
    }

    private func document(_ bench: Bench) async throws -> ConferenceInfo {
        while true {
            switch await bench.next() {
            case .sent(let notify):
                let octets = notify.body?.content ?? []
                if DocumentSchema.isAvailable { try DocumentSchema.conferenceInfo.validate([octets]) }
                await bench.focus.handle(.answer(notify.exchange, .ok))
                return try ConferenceInfo(parsing: octets)
            case .nothing: throw TestFailure()
            default: continue
            }
        }
    }

    @Test("a new file is told of in a partial document, in the description's extension that Blink reads")
    func roster() async throws {
        let shelf = FakeShelf()
        let bench = Bench(shelf: shelf)
        _ = try await bench.join()
        #expect(try await subscribe(bench).description?.files == [])
        let (_, transfer) = try await bench.transfer()
        let file = SpooledFile.make()
        shelf.add(file)
        await bench.focus.handle(.received(transfer, file))
        #expect(await bench.next() == .announce(file, room))
        for delay in bench.stack.pendingDelays { await bench.stack.fireTimer(on: bench.focus, after: delay) }
        let news = try await document(bench)
        #expect(news.state == .partial && news.users?.list.isEmpty ?? true)
        #expect(
            news.description?.files == [
                .init(
                    name: "a.txt", hash: FileHash("sha-1", file.sha1).value, size: 19, sender: "sip:alice@example.org")
            ])
        #expect(news.description?.conferenceURIs.isEmpty == false)
    }

    @Test("the roster shows the newest files, as many as the limit says")
    func bounded() async throws {
        let files = (0..<10).map { SpooledFile.make("f\($0)", name: "\($0).txt") }
        let bench = Bench(shelf: FakeShelf(files)) { $0.limits.filesShown = 3 }
        _ = try await bench.join()
        #expect(try await subscribe(bench).description?.files.map(\.name) == ["7.txt", "8.txt", "9.txt"])
    }

    @Test("what has expired goes from the roster; files of rooms that are no more go at the start")
    func expiry() async throws {
        let shelf = FakeShelf([.make("a"), .make("b", name: "b.txt"), .make("c", room: "gone@example.com")])
        let bench = Bench(shelf: shelf) { $0.rooms = [RoomConfiguration(address: Bench.room)] }
        await bench.focus.tendFiles()
        #expect(shelf.removed == ["gone@example.com"])
        _ = try await bench.join()
        #expect(try await subscribe(bench).description?.files.count == 2)
        shelf.age("a")
        await bench.stack.fireTimer(on: bench.focus, after: .seconds(60))
        // The spool is asked elsewhere; what follows comes before the next look.
        while !bench.stack.pendingDelays.contains(.seconds(60)) { await Task.yield() }
        for delay in bench.stack.pendingDelays where delay != .seconds(60) {
            await bench.stack.fireTimer(on: bench.focus, after: delay)
        }
        #expect(try await document(bench).description?.files.map(\.name) == ["b.txt"])
    }

    // MARK: Pushed on

    private func pushing(_ change: (inout FocusConfiguration) -> Void = { _ in }) async throws -> Bench {
        let bench = Bench(shelf: FakeShelf()) {
            $0.adhoc.files = .pushed
            change(&$0)
        }
        _ = try await bench.join()
        for name in ["bob", "carol"] {
            _ = try await bench.join(
                .invite(headers: [
                    "From": "<sip:\(name)@example.org>;tag=\(name)", "Call-ID": name,
                    "Contact": "<sip:\(name)@198.51.100.7:5060>",
                ]))
        }
        return bench
    }

    /// The next INVITEs of ours, and what the mixer was asked for them.
    private func invitations(_ bench: Bench, _ count: Int) async throws -> [(invite: Sent, request: FileRequest)] {
        var invites: [Sent] = []
        var requests: [FileRequest] = []
        while invites.count < count {
            switch await bench.next() {
            case .reserveFile(let request): requests.append(request)
            case .sent(let invite): invites.append(invite)
            default: throw TestFailure()
            }
        }
        try #require(requests.count == count)
        // Each is asked for by itself, and the answers may overtake each other.
        var found: [(invite: Sent, request: FileRequest)] = []
        for invite in invites.sorted(by: { ($0.target?.user ?? "") < ($1.target?.user ?? "") }) {
            let user = try #require(invite.target?.user)
            let request = try #require(requests.first { $0.participant.hasPrefix("sip:\(user)@") })
            found.append((invite: invite, request: request))
        }
        return found
    }

    private func invitation(_ bench: Bench) async throws -> (Sent, FileRequest) {
        let found = try await invitations(bench, 1)
        return (found[0].invite, found[0].request)
    }

    @Test("RFC 5547 8.2.1: what was received is offered to everybody but its sender, octet for octet")
    func pushedOn() async throws {
        let bench = try await pushing()
        let (_, transfer) = try await bench.transfer()
        let file = SpooledFile.make()
        await bench.focus.handle(.received(transfer, file))
        #expect(await bench.next() == .announce(file, room))
        let both = try await invitations(bench, 2)
        let (invite, request) = both[0]
        #expect(invite.method == "INVITE" && invite.target?.description == "sip:bob@198.51.100.7:5060")
        #expect(request.work == .send(file, offset: 0, length: nil) && request.participant == "sip:bob@example.org")
        let lines = invite.text.split(separator: "\r\n").map(String.init)
        let id = try #require(lines.first { $0.hasPrefix("a=file-transfer-id:f1-") })
        let path = try #require(lines.first { $0.hasPrefix("a=path:msrp://192.0.2.1:2855/f") })
        #expect(
            lines.dropFirst(5) == [
                "m=message 2855 TCP/MSRP *", "a=accept-types:*", path,
                "a=setup:actpass", "a=sendonly", "a=file-selector:\(file.selector)", id,
                "a=file-disposition:attachment",
            ])
        #expect(both[1].invite.target?.description == "sip:carol@198.51.100.7:5060")
        await bench.expectQuiet()

        // Bob takes it.
        let call = Call(id: invite.exchange.id)
        await bench.focus.handle(.response(call, method: "INVITE", .taken(Offer.file("recvonly", id: "x"))))
        #expect(await bench.next() == .acknowledge(call))
        guard case .renegotiateFile(let offered, let media) = await bench.next() else { throw TestFailure() }
        #expect(path.hasSuffix("/\(offered);tcp") && media.format == .plainText && media.direction == .receiveOnly)
        #expect(await bench.next() == .startFile(offered))
        await bench.focus.handle(.sent(offered))
        for _ in 0..<6 { await bench.stack.fireTimer(on: bench.focus, after: .seconds(5)) }
        // Alice's call, by which the file came, ends before it.
        var actions: [Action] = []
        while actions.last != .hangUp(call, reason: HangUpReason.fileDone) {
            actions.append(await bench.next())
            if actions.last == .nothing { throw TestFailure() }
        }
        #expect(actions.contains(.endFile(offered)))
    }

    @Test("who refuses files is not asked again, who is busy is; a limited number of calls is under way")
    func refused() async throws {
        let bench = try await pushing { $0.limits.filePushes = 1 }
        let (_, transfer) = try await bench.transfer()
        await bench.focus.handle(.received(transfer, .make()))
        _ = await bench.next()
        let (first, _) = try await invitation(bench)
        await bench.expectQuiet()
        await bench.focus.handle(.response(Call(id: first.exchange.id), method: "INVITE", .refused(488)))
        #expect(await bench.next() == .endFile(FileTransferID(number: 2)))
        let (second, _) = try await invitation(bench)
        #expect(second.target?.user == "carol")
        await bench.focus.handle(.response(Call(id: second.exchange.id), method: "INVITE", .refused(486)))
        #expect(await bench.next() == .endFile(FileTransferID(number: 3)))
        await bench.focus.handle(.received(transfer, .make("f9")))
        _ = await bench.next()
        let (third, _) = try await invitation(bench)
        #expect(third.target?.user == "carol")
        await bench.expectQuiet()
    }

    @Test("no answer: CANCEL, and the session is given back")
    func noAnswer() async throws {
        let bench = try await pushing { $0.limits.filePushes = 1 }
        let (_, transfer) = try await bench.transfer()
        await bench.focus.handle(.received(transfer, .make()))
        _ = await bench.next()
        let (first, _) = try await invitation(bench)
        let timeout = await bench.focus.configuration.dialling.answerTimeout
        await bench.stack.fireTimer(on: bench.focus, after: timeout)
        #expect(await bench.next() == .cancel(Call(id: first.exchange.id)))
        #expect(await bench.next() == .endFile(FileTransferID(number: 2)))
        _ = try await invitation(bench)
    }

    @Test("an answer that cannot be used ends the call; the end of the room ends what is offered")
    func badAnswers() async throws {
        let bench = try await pushing()
        let (_, transfer) = try await bench.transfer()
        await bench.focus.handle(.received(transfer, .make()))
        _ = await bench.next()
        let both = try await invitations(bench, 2)
        let (first, second) = (both[0].invite, both[1].invite)
        let call = Call(id: first.exchange.id)
        let offered = first.text.contains("/f2;tcp") ? 2 : 3
        await bench.focus.handle(.response(call, method: "INVITE", .taken(Offer.file("recvonly", port: 0))))
        #expect(await bench.next() == .acknowledge(call))
        #expect(await bench.next() == .endFile(FileTransferID(number: UInt64(offered))))
        #expect(await bench.next() == .hangUp(call, reason: HangUpReason.badAnswer))
        await bench.focus.endRoom(room)
        var actions: [Action] = []
        while !actions.contains(.cancel(Call(id: second.exchange.id)))
            || !actions.contains(.endFile(FileTransferID(number: UInt64(5 - offered))))
        {
            actions.append(await bench.next())
            if actions.last == .nothing { throw TestFailure() }
        }
    }
}

extension Response {
    static var ok: Response { make(200) }
    static func refused(_ status: Int) -> Response { make(status) }
    static func taken(_ sdp: String) -> Response { make(200, body: MessageBody(sdp: sdp)) }

    private static func make(_ status: Int, body: MessageBody? = nil) -> Response {
        Response(
            status: status, phrase: "As asked",
            headers: HeaderFields(octets: Array("Call-ID: pushed\r\nContact: <sip:bob@198.51.100.7:5060>\r\n".utf8)),
            body: body,
            source: Endpoint(transport: .udp, host: "198.51.100.7", port: 5060))
    }
}
