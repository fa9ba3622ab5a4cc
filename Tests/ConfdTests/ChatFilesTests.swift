import Client
import Foundation
import Payloads
import SIP
import Testing

@Suite("The files of a room, as a chat keeps them")
struct ChatFilesTests {
    private func hash(_ octet: UInt8, _ function: Fingerprint.Hash = .sha256) -> Fingerprint {
        Fingerprint(hash: function, digest: Array(repeating: octet, count: function.length))
    }

    private func parse(_ text: String) -> RoomFile? { RoomFile(parsing: text.utf8) }

    @Test("what the room says of a file, in any order; what is wrong is left out or makes it useless")
    func reading() throws {
        let digest = Array(repeating: "0f", count: 32).joined(separator: ":")
        let file = try #require(
            parse("size=12 ;sha-256=\(digest); SENDER = <sip:a@h>;type=\"image/png\"; other; x=y; name=b.png"))
        #expect(
            file
                == RoomFile(
                    name: "b.png", type: "image/png", size: 12, hashes: [hash(0x0F)], sender: "sip:a@h"))
        #expect(parse("name=\"\"; sha-256=\(digest)") == nil)
        #expect(parse("sha-256=\(digest)") == nil)
        #expect(parse("name=a; sha-256=0f:0f") == nil)
        #expect(parse("name=a; size=-1; sha-256=\(digest)")?.size == nil)
        for text in ["", ";", "=", "name=\"", "name=\"\\", "sender=<", ";;=;\""] { #expect(parse(text) == nil) }
    }

    @Test("numbers stay, whichever of the two ways tells of a file first")
    func numbers() {
        var files = RoomFiles()
        let listed = RoomFile(name: "a", size: 1, hashes: [hash(1, .sha1)], sender: "sip:a@h")
        files.replace([listed], now: 1000)
        #expect(files.present.map(\.number) == [1] && files[1]?.told == nil)
        let told = RoomFile(name: "a", type: "text/plain", hashes: [hash(1, .sha1), hash(2)])
        let first = files.add(told, told: 1005)
        #expect(first.isNew && first.entry.number == 1 && first.entry.file.type == "text/plain")
        #expect(first.entry.file.bestHash == hash(2) && first.entry.file.size == 1)
        #expect(!files.add(told, told: 1006).isNew)
        #expect(files.add(RoomFile(name: "a", hashes: [hash(9)]), told: 1007).entry.number == 2)
        #expect(files.add(RoomFile(name: "b", hashes: [hash(2)]), told: 1007).entry.number == 3)
        #expect(files[4] == nil)
    }

    @Test("what the room lists no longer is gone, but for what it told of just now")
    func gone() {
        var files = RoomFiles()
        files.add(RoomFile(name: "a", hashes: [hash(1)]), told: 1000)
        files.add(RoomFile(name: "b", hashes: [hash(2)]), told: 1100)
        files.replace([RoomFile(name: "c", hashes: [hash(3)])], now: 1110)
        #expect(files.present.map(\.number) == [2, 3] && files[1]?.isGone == true)
        files.add(RoomFile(name: "a", hashes: [hash(1)]), told: 1120)
        #expect(files.present.map(\.number) == [1, 2, 3])
        for number in 0..<1100 { files.add(RoomFile(name: "\(number)", hashes: [hash(3)]), told: 1) }
        #expect(files.entries.count == 1000)
    }

    @Test("a list in columns; a name can't leave its column, nor steer the terminal")
    func list() {
        var files = RoomFiles()
        files.add(
            RoomFile(
                name: "../a\u{1B}[2J.txt", type: "text/plain", size: 1_234_567, hashes: [hash(1)], sender: "sip:a@h"),
            told: 1000)
        files.add(RoomFile(name: "report.pdf", hashes: [hash(2)], sender: "sip:bob@h"), told: nil)
        #expect(
            ChatPrinter(style: .lines).lines(for: files, now: 1000 + 7200) { $0.contains("bob") ? "Bob" : "a" } == [
                "1  a[2J.txt    1.2 MB  text/plain  a    2 h ago",
                "2  report.pdf       -  -           Bob  before you came",
            ])
        let object =
            try? JSONSerialization.jsonObject(
                with: Data(ChatPrinter(style: .json).files(files, of: .init(user: "r", host: "h")).utf8))
            as? [String: Any]
        let list = object?["files"] as? [[String: Any]]
        #expect(list?.count == 2 && list?.first?["size"] as? Int == 1_234_567)
        #expect(list?.first?["sha256"] as? String == String(repeating: "01", count: 32))
    }

    @Test("pictures are kept within bounds, the latest ones")
    func attachments() {
        var kept = ChatAttachments()
        #expect(kept.add(type: "image/png", content: [1]) == 1)
        #expect(kept[1]?.name == "image-1.png" && kept[2] == nil)
        for _ in 0..<50 { _ = kept.add(type: "application/x-unknown", content: [0]) }
        #expect(kept[1] == nil && kept[51]?.name == "application-51.bin")
        #expect(kept.add(type: "image/png", content: [UInt8](repeating: 0, count: 65 << 20)) == nil)
        _ = kept.add(type: "image/png", content: [UInt8](repeating: 0, count: 64 << 20))
        #expect(kept[51] == nil && kept[52] != nil)
    }
}
