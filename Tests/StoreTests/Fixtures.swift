import DigestAuth
import Foundation
import GRDB
import Logging
import Support
import Synchronization

@testable import Store

extension Logger {
    /// Says nothing.
    static var silent: Logger { Logger(label: "silent") { _ in SwiftLogNoOpLogHandler() } }
}

/// A file as a SIP server beside us would have it.
struct ForeignFile {
    let folder: TemporaryFolder
    let path: String

    static let schema = """
        CREATE TABLE subscriber (id INTEGER PRIMARY KEY, username VARCHAR(64) NOT NULL DEFAULT '',
        domain VARCHAR(64) NOT NULL DEFAULT '', password VARCHAR(64), ha1 VARCHAR(128), email_address VARCHAR(128),
        CONSTRAINT account_idx UNIQUE (username, domain))
        """

    init(_ statements: String...) throws {
        folder = try TemporaryFolder()
        path = "\(folder.path)/sip.sqlite"
        for statement in statements { try execute(statement) }
    }

    func execute(_ statement: String) throws {
        let queue = try DatabaseQueue(path: path)
        try queue.writeWithoutTransaction { try $0.execute(sql: statement) }
        try queue.close()
    }

    func open(
        _ table: SubscriberTable = SubscriberTable(), _ cache: AccountDatabase.Cache = AccountDatabase.Cache(),
        logger: Logger = .silent, clock: TestClock? = nil
    ) async throws -> AccountDatabase {
        if let clock {
            return try await AccountDatabase.open(
                path: path, table: table, cache: cache, logger: logger, now: { clock.now })
        }
        return try await AccountDatabase.open(path: path, table: table, cache: cache, logger: logger)
    }
}

/// Time that moves when the test moves it.
final class TestClock: Sendable {
    private let instant = Mutex(ContinuousClock.now)

    var now: ContinuousClock.Instant { instant.withLock { $0 } }

    func advance(by duration: Duration) { instant.withLock { $0 += duration } }
}

/// Keeps what is logged.
final class LogBook: Sendable {
    private let lines = Mutex<[String]>([])

    var all: [String] { lines.withLock { $0 } }

    var logger: Logger { Logger(label: "test") { _ in Handler(book: self) } }

    private struct Handler: LogHandler {
        let book: LogBook
        var logLevel = Logger.Level.trace
        var metadata = Logger.Metadata()

        init(book: LogBook) { self.book = book }

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            book.lines.withLock { $0.append("\(event.level): \(event.message) \(event.metadata ?? [:])") }
        }
    }
}

/// H(alice:example.com:secret), computed by md5sum and sha256sum.
enum Alice {
    static let md5 = "b1726872c344b6dc8365b774f8fd6412"
    static let sha256 = "ed8925b20f9a77b8f8f8d5f8e4467fe32b866f7208ab9e4b20595e9821a0fdee"
    static let secrets = AccountSecrets(md5: md5, sha256: nil)
    static let both = AccountSecrets(md5: md5, sha256: sha256)
}
