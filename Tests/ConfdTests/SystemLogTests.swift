import Foundation
import Logging
import Testing

@testable import confd

@Suite("Logs of the system")
struct SystemLogTests {
    private static let line = LogLine(
        time: "T", level: .warning, label: "relay", message: "over", metadata: ["account": "a@b", "why-it": "x\ny"])

    @Test("a line for journald has its parts as fields, one a line")
    func journal() {
        #expect(
            String(decoding: SystemLog.journalFields(Self.line, identifier: "confd"), as: UTF8.self) == """
                PRIORITY=4
                SYSLOG_IDENTIFIER=confd
                MESSAGE=relay: over account=a@b why-it=x\\ny
                CONFD_PART=relay
                CONFD_ACCOUNT=a@b
                CONFD_WHY_IT=x\\ny

                """)
    }

    @Test("a line for syslogd is a datagram with facility and level, and nobody there is told")
    func syslog() throws {
        let path = FileManager.default.temporaryDirectory.appending(path: "confd-\(UUID().uuidString)").path
        let log = SystemLog(syslogPath: path, journalPath: path)
        #expect(!log.syslog(Self.line))
        let receiver = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        defer {
            close(receiver)
            unlink(path)
        }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: Array(path.utf8)) }
        let bound = withUnsafePointer(to: &address) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(receiver, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        try #require(bound == 0)
        func next() -> String {
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = recv(receiver, &buffer, buffer.count, Int32(MSG_DONTWAIT))
            return String(decoding: buffer.prefix(max(0, count)), as: UTF8.self)
        }
        #expect(log.syslog(Self.line))
        let said = next()
        #expect(said.hasPrefix("<28>"))
        #expect(said.hasSuffix(" confd[\(getpid())]: relay: over account=a@b why-it=x\\ny"))
        #expect(log.journal(Self.line))
        #expect(next().hasPrefix("PRIORITY=4\n"))
        // A daemon that doesn't read must not hold us up: lines are lost, and that is no reason to write elsewhere.
        for _ in 0..<10_000 where !log.syslog(Self.line) { Issue.record("a full queue was taken for nobody") }
    }
}
