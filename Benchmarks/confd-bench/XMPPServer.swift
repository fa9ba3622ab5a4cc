import CBench
import Foundation

/// Debian's XMPP servers, each with a configuration of its own in a folder of its own: plain TCP on loopback, SASL
/// ANONYMOUS, one component for group chats without history, no limits on rates.
enum XMPPServer: String, CaseIterable {
    case ejabberd, prosody

    static let domain = "localhost"
    static let room = "bench@conference.localhost"

    private static let erlang = "/usr/bin/erl"
    private static let prosodyPath = "/usr/bin/prosody"
    private static let libraries = ["x86_64-linux-gnu", "aarch64-linux-gnu"].map { "/usr/lib/\($0)" }

    /// Where Erlang finds ejabberd.
    private static let ejabberdLibraries: String? = libraries.first { folder in
        let names = (try? FileManager.default.contentsOfDirectory(atPath: folder)) ?? []
        return names.contains { $0.hasPrefix("ejabberd-") }
    }

    var isInstalled: Bool {
        switch self {
        case .ejabberd:
            FileManager.default.isExecutableFile(atPath: Self.erlang) && Self.ejabberdLibraries != nil
        case .prosody: FileManager.default.isExecutableFile(atPath: Self.prosodyPath)
        }
    }

    /// The process and its port on 127.0.0.1.
    func start() throws -> (ServerProcess, UInt16) {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("confd-bench-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let port = cbench_free_port()
        guard port > 0 else { throw BenchError("no free port") }
        let configuration = self == .ejabberd ? Self.ejabberd(port) : Self.prosody(port, folder.path)
        let file = folder.appendingPathComponent(self == .ejabberd ? "ejabberd.yml" : "prosody.cfg.lua")
        do {
            try configuration.write(to: file, atomically: true, encoding: .utf8)
            let words =
                self == .ejabberd ? Self.ejabberdCommand(file.path, folder.path) : ["--config", file.path, "-F"]
            let server = try ServerProcess(
                executable: self == .ejabberd ? "/usr/bin/env" : Self.prosodyPath, arguments: words,
                ready: .listening(port), folder: folder, forks: true)
            return (server, port)
        } catch {
            try? FileManager.default.removeItem(at: folder)
            throw error
        }
    }

    /// What ejabberdctl does without its account and node name; the schedulers sleep when there is nothing to do,
    /// instead of spinning for a while, which would be counted as CPU.
    private static func ejabberdCommand(_ file: String, _ folder: String) -> [String] {
        [
            "HOME=\(folder)", "ERL_LIBS=\(ejabberdLibraries ?? "")", "EJABBERD_CONFIG_PATH=\(file)",
            "EJABBERD_LOG_PATH=\(folder)/ejabberd.log", "ERL_CRASH_DUMP=\(folder)/crash", erlang, "+K", "true", "+P",
            "250000", "+sbwt", "none", "+sbwtdcpu", "none", "+sbwtdio", "none", "-noinput", "-mnesia", "dir",
            "\"\(folder)\"", "-s", "ejabberd",
        ]
    }

    private static func ejabberd(_ port: UInt16) -> String {
        """
        hosts:
          - \(domain)
        loglevel: error
        listen:
          -
            port: \(port)
            ip: "127.0.0.1"
            module: ejabberd_c2s
            shaper: none
            starttls: false
            max_stanza_size: infinity
        auth_method: [anonymous]
        anonymous_protocol: sasl_anon
        allow_multiple_connections: true
        acl: {}
        access_rules:
          everybody:
            allow: all
        shaper: {}
        shaper_rules: {}
        max_fsm_queue: 100000
        modules:
          mod_muc:
            hosts: ["conference.\(domain)"]
            access: everybody
            access_create: everybody
            access_admin: everybody
            history_size: 0
            max_users: 5000
            min_message_interval: 0
            min_presence_interval: 0
            user_message_shaper: none
            user_presence_shaper: none
            room_shaper: none
            default_room_options:
              persistent: false
              logging: false
              anonymous: true
              max_users: 5000

        """
    }

    private static func prosody(_ port: UInt16, _ folder: String) -> String {
        """
        run_as_root = true
        daemonize = false
        pidfile = "\(folder)/prosody.pid"
        data_path = "\(folder)"
        log = { error = "\(folder)/prosody.log" }
        network_backend = "epoll"
        modules_enabled = { "saslauth", "disco" }
        modules_disabled = { "tls", "s2s", "offline" }
        c2s_ports = { \(port) }
        c2s_interfaces = { "127.0.0.1" }
        c2s_direct_tls_ports = {}
        s2s_ports = {}
        c2s_require_encryption = false
        VirtualHost "\(domain)"
            authentication = "anonymous"
            allow_anonymous_s2s = false
        Component "conference.\(domain)" "muc"
            muc_room_locking = false
            muc_room_default_history_length = 0
            max_history_messages = 0
            restrict_room_creation = false

        """
    }
}
