import Foundation

/// The real confd with a configuration and state folder of its own, on free loopback ports.
package final class ConfdProcess: Sendable {
    package let process: ChildProcess
    package let folder: TemporaryFolder
    package let configurationFile: String
    package let readyLine: String
    package let udp: SocketAddress
    package let tcp: SocketAddress
    package let tls: SocketAddress
    package let msrp: SocketAddress
    /// TLS for trusted peers, where there is such a listener.
    package let trustedTLS: SocketAddress?

    /// CONFD_BINARY, or `confd` beside the test bundle.
    package static var executable: String {
        if let path = ProcessInfo.processInfo.environment["CONFD_BINARY"] { return path }
        let own = (try? FileManager.default.destinationOfSymbolicLink(atPath: "/proc/self/exe")) ?? ""
        return URL(fileURLWithPath: own).deletingLastPathComponent().appendingPathComponent("confd").path
    }

    /// Options by section; they are written over the defaults of these tests.
    package typealias Options = [String: [String: String]]

    package static func configuration(_ options: Options, folder: String, host: String = "127.0.0.1") -> String {
        let address = SocketAddress(host: host, port: 0)
        var sections: Options = [
            "SIP": ["listen": "udp:\(address), tcp:\(address), tls:\(address)", "domains": "127.0.0.1, example.com"],
            "MSRP": ["address": "\(address)"],
            "Conference": ["adhoc_rooms": "Yes", "state_directory": "\(folder)/state"],
            "Log": ["level": "info"],
        ]
        for (section, values) in options { sections[section, default: [:]].merge(values) { $1 } }
        return text(sections)
    }

    static func text(_ sections: Options) -> String {
        sections.sorted { $0.key < $1.key }.map { name, values in
            "[\(name)]\n" + values.sorted { $0.key < $1.key }.map { "\($0) = \($1)\n" }.joined()
        }.joined(separator: "\n")
    }

    /// - Parameter folder: of a process that ended, to go on with its state; nil: a new one.
    package init(_ options: Options = [:], host: String = "127.0.0.1", in folder: TemporaryFolder? = nil) throws {
        let folder = try folder ?? TemporaryFolder()
        self.folder = folder
        try FileManager.default.createDirectory(
            atPath: "\(folder.path)/state", withIntermediateDirectories: true)
        configurationFile = try folder.write(
            Self.configuration(options, folder: folder.path, host: host), to: "confd.ini")
        process = try ChildProcess(
            Self.executable, ["serve", "--config-file", configurationFile], folder: folder.path, name: "confd")
        readyLine = try process.line(startingWith: "confd ready:", within: 20)
        var found = [String: SocketAddress]()
        for word in readyLine.split(whereSeparator: { " ,=".contains($0) }) {
            for transport in ["udp", "tcp", "tls", "tls-trusted"] where word.hasPrefix("\(transport):") {
                found[transport] = found[transport] ?? Self.address(word.dropFirst(transport.count + 1))
            }
        }
        let second = readyLine.split { " ,=".contains($0) }.filter { $0.hasPrefix("tls:") }.dropFirst().first
            .flatMap { Self.address($0.dropFirst(4)) }
        for word in readyLine.split(separator: " ") where word.hasPrefix("msrp=") {
            found["msrp"] = Self.address(word.dropFirst(5))
        }
        guard let udp = found["udp"], let tcp = found["tcp"], let tls = found["tls"], let msrp = found["msrp"] else {
            throw SupportError("ports are missing in `\(readyLine)`")
        }
        trustedTLS = found["tls-trusted"] ?? second
        (self.udp, self.tcp, self.tls, self.msrp) = (udp, tcp, tls, msrp)
    }

    deinit { Self.reportCrash(of: process) }

    /// A test that fails because the process is gone would not say why.
    static func reportCrash(of process: ChildProcess) {
        guard !process.isRunning, case .killed(let signal)? = try? process.waitForExit(within: 0), signal != SIGKILL
        else { return }
        let lines = process.standardError.split(separator: "\n", omittingEmptySubsequences: false)
        let report = lines.firstIndex { $0.contains("Program crashed") } ?? lines.endIndex
        let thread = lines.firstIndex { $0.hasPrefix("Thread ") && $0.hasSuffix(" crashed:") } ?? lines.endIndex
        let text = (lines[..<report].suffix(10) + lines[thread...].prefix(60)).joined(separator: "\n")
        FileHandle.standardError.write(Data("confd was killed by signal \(signal):\n\(text)\n".utf8))
    }

    static func address(_ text: Substring) -> SocketAddress? {
        guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else {
            return nil
        }
        return SocketAddress(host: String(text[..<colon]), port: port)
    }

    package func address(_ transport: SIPTransportName) -> SocketAddress {
        switch transport {
        case .udp: udp
        case .tcp: tcp
        case .tls: tls
        }
    }

    /// `confd` with these arguments and this process's configuration.
    package func run(_ arguments: String..., input: String? = nil) throws -> Tool.Result {
        try Tool.run(Self.executable, arguments + ["--config-file", configurationFile], input: input)
    }

    package var log: String { process.standardError }

    /// SIGTERM, and how it ended.
    package func terminate(within seconds: Double = 8) throws -> ChildProcess.Exit {
        process.signal(SIGTERM)
        return try process.waitForExit(within: seconds)
    }

    package func residentKiB() throws -> Int { try process.residentKiB() }
    package func descriptorCount() throws -> Int { try process.descriptorCount() }
}
