import Client
import Foundation
import NIOCore
import Payloads
import Support
import Testing

@Suite("Parts of files that are got by their hash")
struct ChatPartTests {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    private let abc = RunningHash.of("abc")

    @Test("a part is gone on with by whoever wants the same octets, and no other file is touched")
    func resume() throws {
        let part = try PartFile.fetch(folder: folder.path, name: "a.txt", expected: abc, size: 3)
        #expect(part.length == 0 && part.partPath == "\(folder.path)/a.txt.ba7816bf8f01.part")
        // Somebody else writes it.
        #expect(throws: FileError.self) {
            _ = try PartFile.fetch(folder: folder.path, name: "a.txt", expected: abc, size: 3)
        }
        try part.append(.init(string: "ab"))
        part.keep()
        let other = try PartFile.fetch(folder: folder.path, name: "a.txt", expected: RunningHash.of("x"), size: 3)
        #expect(other.length == 0)
        other.keep()
        let again = try PartFile.fetch(folder: folder.path, name: "a.txt", expected: abc, size: 3)
        #expect(again.length == 2)
        try again.append(.init(string: "c"))
        _ = try folder.write("mine", to: "a.txt")
        #expect(try again.complete() == "\(folder.path)/a (1).txt")
        #expect(try String(contentsOfFile: "\(folder.path)/a.txt", encoding: .utf8) == "mine")
        #expect(try String(contentsOfFile: "\(folder.path)/a (1).txt", encoding: .utf8) == "abc")
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).sorted() == ["a (1).txt", "a.txt"])
    }

    @Test("what does not hash to what was announced is thrown away")
    func mismatch() throws {
        let part = try PartFile.fetch(folder: folder.path, name: "a", expected: abc, size: 3)
        try part.append(.init(string: "abd"))
        #expect(throws: FileError.self) { _ = try part.complete() }
        #expect(try FileManager.default.contentsOfDirectory(atPath: folder.path).isEmpty)
    }

    @Test(
        "of a part that is whole, the last octet is asked for again; of one that is too long, or of unknown size, all")
    func edges() throws {
        func left(_ text: String) throws {
            let part = try PartFile.fetch(folder: folder.path, name: "a", expected: abc, size: nil)
            try part.append(.init(string: text))
            part.keep()
        }
        for (text, size, length) in [("abc", UInt64?(3), UInt64(2)), ("abcd", 3, 0), ("ab", nil, 0), ("a", 1, 0)] {
            try left(text)
            let part = try PartFile.fetch(folder: folder.path, name: "a", expected: abc, size: size)
            #expect(part.length == length, "\(text) \(String(describing: size))")
            part.keep()
        }
    }

    @Test("a sender that sends all although a range was asked for begins anew")
    func restart() throws {
        let part = try PartFile.fetch(folder: folder.path, name: "a", expected: abc, size: 3)
        try part.append(.init(string: "xx"))
        try part.restart()
        try part.append(.init(string: "abc"))
        #expect(try part.complete() == "\(folder.path)/a")
    }

    @Test("SHA-1 and SHA-256 of a file, with its progress; it can be stopped (RFC 5547 section 6)")
    func hashes() throws {
        let file = try SourceFile(path: folder.write(String(repeating: "a", count: 3 << 20), to: "a"))
        var told: [UInt64] = []
        let hashes = try file.fingerprints { done in
            told.append(done)
            return true
        }
        #expect(told == [0, 1 << 20, 2 << 20])
        #expect(hashes?.map(\.hash) == [.sha1, .sha256])
        #expect(try file.fingerprints { $0 < 1 << 20 } == nil)
        // It is still read from its start.
        #expect(file.read(2).readableBytes == 2)
        let small = try SourceFile(path: folder.write("abc", to: "b"))
        #expect(
            try small.fingerprints { _ in true }?.map(\.value) == [
                "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D",
                abc.value,
            ])
    }
}

extension RunningHash {
    fileprivate static func of(_ text: String) -> Fingerprint {
        let hash = RunningHash()
        hash.update(.init(string: text))
        return hash.fingerprint
    }
}
