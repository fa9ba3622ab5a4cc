import FileSpool
import MediaMixer
import Payloads
import Testing

@testable import Focus
@testable import SIP

extension Offer {
    static let sha1 = "72:24:5F:E8:65:3D:DA:F3:71:36:2F:86:D4:71:91:3E:E4:A2:CE:2E"

    /// A file as a client offers it, or asks for it (`recvonly`).
    static func file(
        _ direction: String = "sendonly",
        selector: String = "name:\"a.txt\" type:text/plain size:19 hash:sha-1:\(sha1)",
        id: String = "one", version: Int = 1, path: String = "msrp://198.51.100.7:2855/file;tcp", port: Int = 2855,
        accept: String = "*", more: [String] = []
    ) -> String {
        ([
            "v=0", "o=- 1 \(version) IN IP4 198.51.100.7", "s=-", "c=IN IP4 198.51.100.7", "t=0 0",
            "m=message \(port) TCP/MSRP *", "a=\(direction)", "a=path:\(path)", "a=accept-types:\(accept)",
            "a=setup:active", "a=file-selector:\(selector)", "a=file-transfer-id:\(id)",
        ] + more).map { "\($0)\r\n" }.joined()
    }
}

extension SpooledFile {
    static func make(
        _ id: String = "f1", name: String = "a.txt", type: String? = "text/plain", size: Int = 19, digest: UInt8 = 7,
        sender: String = "sip:alice@example.org", room: String = "lobby@example.com"
    ) -> SpooledFile {
        SpooledFile(
            id: id, room: room, name: name, type: type, size: size, sha1: Array(repeating: digest, count: 20),
            sha256: Array(repeating: digest, count: 32), sender: sender, senderName: nil, received: 1_000, expires: nil)
    }

    var selector: String { FileSelector(self).value }
}

extension Request {
    static func file(
        _ sdp: String = Offer.file(), from name: String = "alice", headers: [String: String] = [:],
        room: String = "sip:lobby@example.com"
    ) -> Request {
        var fields = [
            "From": "<sip:\(name)@example.org>;tag=f1", "Call-ID": "file@client",
            "Contact": "<sip:\(name)@198.51.100.7:5060>",
        ]
        fields.merge(headers) { $1 }
        return .invite(room, headers: fields, body: MessageBody(sdp: sdp))
    }

    static func guest(_ name: String) -> Request {
        .invite(headers: ["From": "<sip:\(name)@example.org>;tag=\(name)", "Call-ID": name])
    }
}

extension Bench {
    /// An INVITE for a file, and what the mixer was asked.
    func file(_ request: Request = .file()) async throws -> (call: Call, asked: FileRequest, answer: Answer) {
        let transaction = nextTransaction()
        let call = Call(id: transaction.id)
        await focus.handle(.invite(call, transaction, request))
        var asked: FileRequest?
        while asked == nil {
            switch await next() {
            case .reserveFile(let request): asked = request
            case .answer, .nothing: throw TestFailure()
            default: continue
            }
        }
        let answer = try await nextAnswer()
        try #require(answer.status == 200, "\(answer)")
        return (call, try #require(asked), answer)
    }

    /// The same, acknowledged.
    func transfer(_ request: Request = .file()) async throws -> (call: Call, transfer: FileTransferID) {
        let (call, _, _) = try await file(request)
        await focus.handle(.acknowledged(call, nil))
        let transfer = FileTransferID(number: mixer.lastTransfer)
        #expect(await next() == .startFile(transfer))
        return (call, transfer)
    }
}
