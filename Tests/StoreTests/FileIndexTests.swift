import FileSpool
import Foundation
import Logging
import Support
import Testing

@testable import Store

@Suite("The index of files")
struct FileIndexTests {
    private static func file(
        _ id: Character, name: String = "n", type: String? = "text/plain", senderName: String? = "Alice",
        received: Int64 = 10, expires: Int64? = 20
    ) -> SpooledFile {
        SpooledFile(
            id: String(repeating: id, count: 32), room: "lobby@example.com", name: name, type: type, size: 5,
            sha1: [UInt8](repeating: 1, count: 20), sha256: [UInt8](repeating: 2, count: 32),
            sender: "sip:alice@example.com", senderName: senderName, received: received, expires: expires)
    }

    @Test("rows come back as they were, oldest first, also when the database is opened again")
    func life() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        #expect(try await database.files().isEmpty)
        let files = [
            Self.file("a", name: "東京 '\"; DROP TABLE room_file"),
            Self.file("b", type: nil, senderName: nil, expires: nil),
            Self.file("c", received: 5),
        ]
        for file in files { try await database.add(file) }
        #expect(try await database.files() == [files[2], files[0], files[1]])
        await database.close()
        let again = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await again.remove([files[0].id, "unknown", files[2].id])
        #expect(try await again.files() == [files[1]])
        try await again.remove([])
    }

    @Test("what can't be a file's row is refused and changes nothing")
    func refusals() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        try await database.add(Self.file("a"))
        await #expect(throws: StoreError.self) { try await database.add(Self.file("a", name: "other")) }
        let short = SpooledFile(
            id: "b", room: "r", name: "n", type: nil, size: 1, sha1: [], sha256: [], sender: "s", senderName: nil,
            received: 0, expires: nil)
        await #expect(throws: StoreError.self) { try await database.add(short) }
        #expect(try await database.files() == [Self.file("a")])
    }

    @Test("a spool finds its files again by the index")
    func spool() async throws {
        let folder = try TemporaryFolder()
        let database = try await EmbeddedDatabase.open(stateDirectory: folder.path)
        func open() async throws -> FileSpool {
            try await FileSpool.open(
                directory: "\(folder.path)/files", limits: SpoolLimits(), index: database, logger: .silent)
        }
        _ = try await open()
        let file = Self.file("a")
        try Data("hello".utf8).write(to: URL(fileURLWithPath: "\(folder.path)/files/\(file.id)"))
        try await database.add(file)
        #expect(try await open().files(in: "lobby@example.com") == [file])
        try FileManager.default.removeItem(atPath: "\(folder.path)/files/\(file.id)")
        #expect(try await open().files(in: "lobby@example.com").isEmpty)
        #expect(try await database.files().isEmpty)
    }
}
