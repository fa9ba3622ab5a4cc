import Foundation

/// The real confd as a relay alone: no [SIP] section, accounts in memory, a free loopback port.
package final class RelayProcess: Sendable {
    package let process: ChildProcess
    package let folder: TemporaryFolder
    package let configurationFile: String
    package let readyLine: String
    package let address: SocketAddress
    private let options: ConfdProcess.Options
    private let bound: SocketAddress

    /// The SIP domain of the accounts.
    package static let domain = "example.com"

    package static func password(of user: String) -> String { "secret of \(user)" }

    package static let users = ["alice", "bob", "carol", "dave", "erin", "mallory"]

    /// What makes a confd a relay for tests, beside the [MSRP] address.
    package static func options(_ options: ConfdProcess.Options = [:]) -> ConfdProcess.Options {
        var sections: ConfdProcess.Options = [
            "Relay": [
                "hostname": "127.0.0.1", "backend": "memory", "debug_notls": "Yes",
                "log_level": "INFO",
            ],
            "Memory": Dictionary(uniqueKeysWithValues: users.map { ("\($0)@\(domain)", password(of: $0)) }),
        ]
        for (section, values) in options { sections[section, default: [:]].merge(values) { $1 } }
        return sections
    }

    package static func configuration(
        _ options: ConfdProcess.Options, folder: String, host: String = "127.0.0.1", port: UInt16 = 0
    ) -> String {
        let address = SocketAddress(host: host, port: port)
        var sections = Self.options([
            "Relay": ["address": "\(address)"],
            "Conference": ["state_directory": "\(folder)/state"],
            "Log": ["level": "info"],
        ])
        for (section, values) in options { sections[section, default: [:]].merge(values) { $1 } }
        return ConfdProcess.text(sections)
    }

    package init(_ options: ConfdProcess.Options = [:], host: String = "127.0.0.1", port: UInt16 = 0) throws {
        self.options = options
        bound = SocketAddress(host: host, port: port)
        folder = try TemporaryFolder()
        try FileManager.default.createDirectory(atPath: "\(folder.path)/state", withIntermediateDirectories: true)
        configurationFile = try folder.write(
            Self.configuration(options, folder: folder.path, host: host, port: port), to: "relay.ini")
        process = try ChildProcess(
            ConfdProcess.executable, ["serve", "--config-file", configurationFile], folder: folder.path, name: "relay")
        readyLine = try process.line(startingWith: "confd ready:", within: 20)
        address = try Self.relayAddress(in: readyLine)
    }

    deinit { ConfdProcess.reportCrash(of: process) }

    /// `relay=` when the relay has an address of its own, else `msrp=`.
    package static func relayAddress(in readyLine: String) throws -> SocketAddress {
        for name in ["relay=", "msrp="] {
            for word in readyLine.split(separator: " ") where word.hasPrefix(name) {
                let first = word.dropFirst(name.count).split(separator: ",").first ?? ""
                if let address = ConfdProcess.address(first) { return address }
            }
        }
        throw SupportError("no relay address in `\(readyLine)`")
    }

    package var log: String { process.standardError }

    package func terminate(within seconds: Double = 8) throws -> ChildProcess.Exit {
        process.signal(SIGTERM)
        return try process.waitForExit(within: seconds)
    }

    package func residentKiB() throws -> Int { try process.residentKiB() }
    package func descriptorCount() throws -> Int { try process.descriptorCount() }

    /// Waits until the log has a line with all of `words`.
    package func awaitLog(_ words: String..., within seconds: Double = 10) throws -> String {
        let deadline = Deadline.after(seconds: seconds)
        while true {
            let lines = log.split(separator: "\n")
            if let line = lines.first(where: { line in words.allSatisfy { line.contains($0) } }) { return String(line) }
            if deadline.passed { throw SupportError("no line with \(words) in:\n\(log.suffix(3000))") }
            usleep(10_000)
        }
    }

    // MARK: While it runs

    /// Writes the file anew, with these options over those of the start, and sends HUP.
    package func reload(_ changes: ConfdProcess.Options) throws {
        var merged = options
        for (section, values) in changes { merged[section, default: [:]].merge(values) { $1 } }
        _ = try folder.write(
            Self.configuration(merged, folder: folder.path, host: bound.host, port: bound.port), to: "relay.ini")
        process.signal(SIGHUP)
    }

    /// What `confd status --json` tells.
    package struct Status {
        package let text: String
        package let relay: [String: Any]
        package let transport: [String: Any]

        package var counters: [String: Any] { relay["counters"] as? [String: Any] ?? [:] }
        /// Sessions in the table.
        package var sessions: Int? { counters["sessions"] as? Int }

        package func count(_ group: String, _ name: String) -> Int {
            (counters[group] as? [String: Any])?[name] as? Int ?? 0
        }
    }

    package func status() throws -> Status {
        let result = try Tool.run(ConfdProcess.executable, ["status", "--json", "--config-file", configurationFile])
        guard result.exit == .exited(0) else { throw SupportError("confd status: \(result.errors)") }
        let object = try JSONSerialization.jsonObject(with: Data(result.output.utf8)) as? [String: Any]
        return Status(
            text: result.output, relay: object?["relay"] as? [String: Any] ?? [:],
            transport: object?["transport"] as? [String: Any] ?? [:])
    }

    /// Waits until the session table holds so many.
    package func awaitSessions(_ count: Int, within seconds: Double = 10) throws {
        let deadline = Deadline.after(seconds: seconds)
        var found = try status().sessions
        while found != count {
            if deadline.passed { throw SupportError("\(found.map(String.init) ?? "no") sessions, not \(count)") }
            usleep(50_000)
            found = try status().sessions
        }
    }

    // MARK: Clients

    /// A client that is authenticated.
    package func client(
        _ user: String = "alice", tls: Bool = false, dialect: DigestDialect = .msrplib, expires: String? = nil
    ) throws -> RawRelayClient {
        let client = try RawRelayClient(to: address, tls: tls, dialect: dialect)
        let response = try client.authenticate(as: user, expires: expires)
        guard response.status == 200 else { throw SupportError("AUTH was answered \(response)") }
        return client
    }

    /// Someone outside who connects to the client's session; not bound yet.
    package func outsider(for client: RawRelayClient, tls: Bool = false) throws -> RawRelayClient {
        let outsider = try RawRelayClient(to: address, tls: tls)
        outsider.peer = client.path
        client.peer = [outsider.uri]
        return outsider
    }

    /// A client and somebody outside, bound to each other.
    package func pair(
        _ user: String = "alice", tls: Bool = false, dialect: DigestDialect = .msrplib
    ) throws -> (client: RawRelayClient, outsider: RawRelayClient) {
        let client = try client(user, tls: tls, dialect: dialect)
        let outsider = try outsider(for: client, tls: tls)
        try Self.bind(outsider, to: client)
        return (client, outsider)
    }

    /// The outsider's first SEND binds the session; the client sees it.
    package static func bind(_ outsider: RawRelayClient, to client: RawRelayClient) throws {
        let bound = try outsider.bind()
        guard bound.status == 200 else { throw SupportError("the bind was answered \(bound)") }
        let seen = try client.next()
        guard seen.word == "SEND", seen.body == nil else { throw SupportError("the bind arrived as \(seen)") }
    }
}
