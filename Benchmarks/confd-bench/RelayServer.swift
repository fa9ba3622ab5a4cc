import CBench
import Foundation

/// What carries the octets between peer and client.
enum RelayServer: String, CaseIterable {
    case confd
    case kamailio = "Kamailio"
    case haproxy = "HAProxy"
    case splice = "C splice"
    case copy = "C copy"
    /// Nothing: the load generator's two ends are connected to one another.
    case direct

    /// AUTH, and a session that the peer binds; the others copy what comes.
    var authenticates: Bool { self == .confd || self == .kamailio }

    var isInstalled: Bool {
        switch self {
        case .kamailio:
            FileManager.default.isExecutableFile(atPath: Self.kamailioPath) && Self.kamailioModules != nil
        case .haproxy: FileManager.default.isExecutableFile(atPath: Self.haproxyPath)
        default: true
        }
    }

    private static let kamailioPath = "/usr/sbin/kamailio"
    private static let haproxyPath = "/usr/sbin/haproxy"
    private static let kamailioModules: String? = ["x86_64-linux-gnu", "aarch64-linux-gnu", "."]
        .map { "/usr/lib/\($0)/kamailio/modules" }
        .first { FileManager.default.fileExists(atPath: "\($0)/msrp.so") }

    /// A fresh server, nil for `direct`, and the port on 127.0.0.1 where it is found.
    func start(confd: String, backend: UInt16, tls: Bool) throws -> (ServerProcess?, UInt16) {
        switch self {
        case .confd: return try Self.startConfd(confd)
        case .kamailio: return try Self.startKamailio()
        case .haproxy: return try Self.startHAProxy(backend: backend, tls: tls)
        case .splice, .copy:
            let arguments = ["copy", "--backend", "\(backend)"] + (self == .splice ? ["--splice"] : [])
            let server = try ServerProcess(
                executable: try ServerProcess.ownPath(), arguments: arguments, ready: .line("ccopy ready:"))
            guard let port = server.readyLine.split(separator: "=").last.flatMap({ UInt16($0) }) else {
                throw BenchError("no port in `\(server.readyLine)`")
            }
            return (server, port)
        case .direct: return (nil, backend)
        }
    }

    private static func makeFolder() throws -> URL {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("confd-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        return folder
    }

    private static func freePort() throws -> UInt16 {
        let port = cbench_free_port()
        guard port > 0 else { throw BenchError("no free port") }
        return port
    }

    /// Writes a configuration into a folder of its own, which goes with the server.
    private static func start(
        _ executable: String, configuration: String, in folder: URL, arguments: (String) -> [String],
        ready: ServerProcess.Readiness, forks: Bool = false
    ) throws -> ServerProcess {
        let file = folder.appendingPathComponent("bench.conf")
        do {
            try configuration.write(to: file, atomically: true, encoding: .utf8)
            return try ServerProcess(
                executable: executable, arguments: arguments(file.path), ready: ready, folder: folder, forks: forks)
        } catch {
            try? FileManager.default.removeItem(at: folder)
            throw error
        }
    }

    private static func startConfd(_ executable: String) throws -> (ServerProcess, UInt16) {
        let folder = try makeFolder()
        let configuration = """
            [Relay]
            address = 127.0.0.1:0
            debug_notls = Yes
            backend = memory
            [Memory]
            \(RelayGroup.user)@\(RelayGroup.domain) = \(RelayGroup.password)
            [Conference]
            state_directory = \(folder.path)
            [Log]
            level = error

            """
        let server = try start(
            executable, configuration: configuration, in: folder, arguments: { ["serve", "--config-file", $0] },
            ready: .line("confd ready:"))
        // confd ready: msrp=127.0.0.1:2855 pid=1; relay=... when the relay has an address of its own
        let words = server.readyLine.split(separator: " ")
        let address = words.first { $0.hasPrefix("relay=") } ?? words.first { $0.hasPrefix("msrp=") }
        guard let port = address?.split(separator: ":").last.flatMap({ UInt16($0) }) else {
            server.stop()
            throw BenchError("no port in `\(server.readyLine)`")
        }
        return (server, port)
    }

    /// The module's own example for its table of connections, with queues that are long enough for the windows.
    private static func startKamailio() throws -> (ServerProcess, UInt16) {
        guard let modules = kamailioModules else { throw BenchError("Kamailio's msrp module is not installed") }
        let folder = try makeFolder()
        let port = try freePort()
        let configuration = """
            #!KAMAILIO
            debug=-5
            log_stderror=yes
            auto_aliases=no
            children=1
            tcp_children=2
            tcp_accept_no_cl=yes
            tcp_connection_lifetime=1810
            tcp_max_connections=20000
            tcp_conn_wq_max=67108864
            tcp_wq_max=134217728
            listen=tcp:127.0.0.1:\(port)
            mpath="\(modules)/"
            loadmodule "sl.so"
            loadmodule "pv.so"
            loadmodule "auth.so"
            loadmodule "msrp.so"
            modparam("auth", "nonce_count", 1)
            modparam("auth", "qop", "auth")
            modparam("msrp", "cmap_size", 12)
            modparam("msrp", "use_path_addr", "127.0.0.1:\(port)")

            request_route {
                sl_send_reply("403", "No SIP here");
                exit;
            }

            event_route[msrp:frame-in] {
                msrp_reply_flags("1");
                if (msrp_is_reply()) {
                    if ($msrp(nexthops) > 0) msrp_relay();
                } else if ($msrp(method) == "AUTH") {
                    if (!pv_www_authenticate("\(RelayGroup.domain)", "\(RelayGroup.password)", "0", "AUTH")) {
                        if (auth_get_www_authenticate("\(RelayGroup.domain)", "1", "$var(challenge)")) {
                            msrp_reply("401", "Unauthorized", "$var(challenge)");
                        } else {
                            msrp_reply("500", "Server Error");
                        }
                        exit;
                    }
                    msrp_cmap_save();
                } else if ($msrp(nexthops) == 1 && msrp_cmap_lookup()) {
                    if ($msrp(method) != "REPORT") msrp_reply("200", "OK");
                    msrp_relay_flags("1");
                    msrp_relay();
                } else if ($msrp(method) == "REPORT") {
                    msrp_relay();
                } else {
                    msrp_reply("481", "Session-does-not-exist");
                }
            }

            """
        let server = try start(
            kamailioPath, configuration: configuration, in: folder,
            arguments: {
                ["-f", $0, "-DD", "-E", "-m", "1024", "-M", "32", "-w", folder.path, "-Y", folder.path]
            }, ready: .listening(port), forks: true)
        return (server, port)
    }

    /// One thread, so that its CPU does not pay for contention that confd, with one loop, does not have.
    private static func startHAProxy(backend: UInt16, tls: Bool) throws -> (ServerProcess, UInt16) {
        let folder = try makeFolder()
        let port = try freePort()
        let certificate = folder.appendingPathComponent("bench.pem").path
        if tls, !cbench_write_certificate(certificate) { throw BenchError("no certificate for HAProxy") }
        let configuration = """
            global
                nbthread 1
                maxconn 2000
            defaults
                mode tcp
                timeout connect 5s
                timeout client 60s
                timeout server 60s
            listen bench
                bind 127.0.0.1:\(port)\(tls ? " ssl crt \(certificate)" : "")
                server clients 127.0.0.1:\(backend)\(tls ? " ssl verify none" : "")

            """
        let server = try start(
            haproxyPath, configuration: configuration, in: folder, arguments: { ["-db", "-q", "-f", $0] },
            ready: .listening(port), forks: true)
        return (server, port)
    }
}
