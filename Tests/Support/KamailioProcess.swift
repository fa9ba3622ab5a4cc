import Foundation

/// Kamailio with its msrp module as another hop of MSRP sessions: it moves its own URI from To-Path to From-Path and
/// passes requests on, over connections it knows by their session or opens.
package final class KamailioProcess: Sendable {
    package static var isInstalled: Bool {
        Tool.exists("kamailio") && modules.contains { FileManager.default.fileExists(atPath: "\($0)/msrp.so") }
    }

    private static let modules = ["/usr/lib/x86_64-linux-gnu/kamailio/modules", "/usr/lib/kamailio/modules"]

    private let process: ChildProcess
    private let folder: TemporaryFolder
    package let address: SocketAddress

    package init() throws {
        guard let path = Tool.path("kamailio") else { throw SupportError("kamailio is not installed") }
        folder = try TemporaryFolder()
        // Bound once, so that nobody else is there, and given back.
        address = SocketAddress(host: "127.0.0.1", port: try StreamListener().port)
        let file = try folder.write(Self.configuration(address, folder.path), to: "kamailio.cfg")
        process = try ChildProcess(
            path, ["-f", file, "-DD", "-E", "-m", "64", "-M", "8", "-Y", folder.path], folder: folder.path,
            name: "kamailio")
        let deadline = Deadline.after(seconds: 15)
        while (try? ByteStream(to: address, within: 1)) == nil {
            guard process.isRunning, !deadline.passed else {
                throw SupportError("kamailio does not start: \(process.standardError.suffix(2000))")
            }
            usleep(50_000)
        }
    }

    deinit {
        process.signal(SIGTERM)
        if (try? process.waitForExit(within: 5)) == nil { process.signal(SIGKILL) }
    }

    package var log: String { process.standardError }

    /// Its URI in a path: each session has its own last part.
    package func uri(_ session: String = "hop") -> String {
        "msrp://127.0.0.1:\(address.port)/\(session);tcp"
    }

    private static func configuration(_ address: SocketAddress, _ folder: String) -> String {
        """
        #!KAMAILIO
        debug=1
        log_stderror=yes
        fork=yes
        children=1
        tcp_children=2
        disable_tls=yes
        auto_aliases=no
        listen=tcp:\(address)
        tcp_accept_no_cl=yes
        tcp_rd_buf_size=65536
        mpath="\(modules.joined(separator: ":"))"
        loadmodule "corex.so"
        loadmodule "pv.so"
        loadmodule "xlog.so"
        loadmodule "kex.so"
        loadmodule "tm.so"
        loadmodule "sl.so"
        loadmodule "msrp.so"
        modparam("msrp", "cmap_size", 8)
        request_route { exit; }
        event_route[msrp:frame-in] {
            msrp_reply_flags("1");
            if (!msrp_is_request()) {
                if ($msrp(nexthops) > 0) { msrp_relay(); }
                exit;
            }
            if ($msrp(method) == "AUTH") {
                # Whoever asks gets a session; who may is not what these tests are about.
                msrp_cmap_save();
                exit;
            }
            if ($msrp(method) == "SEND") { msrp_reply("200", "OK"); }
            # The last hop is a client of ours: by the connection that it came with.
            if ($msrp(nexthops) <= 1) { msrp_cmap_lookup(); }
            msrp_relay();
        }

        """
    }
}
