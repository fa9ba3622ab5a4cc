internal import SIP

/// What to do with a server that was started to be tried.
enum DemoHints {
    /// Lines for standard output, after the ready line.
    static func text(_ server: Server, program: String) -> String {
        let domain = ServedDomains(server.settings).all.first ?? "127.0.0.1"
        let room = server.settings.rooms.first.map { "\($0.user)@\($0.domain)" } ?? "lobby@\(domain)"
        guard let listener = server.sipListeners.first else { return "" }
        let host = room.split(separator: "@").last.map(String.init) ?? domain
        let port = listener.port == listener.transport.defaultPort ? "" : ":\(listener.port)"
        let transport = listener.transport == .udp ? "" : " --transport \(listener.transport.rawValue)"
        return """

            Call   sip:\(room)\(port)   from any SIP client with MSRP chat.
            Or type this in a second terminal, and the same with another name in a third:

              \(program) chat sip:\(room)\(port) --as sip:alice@\(host)\(transport)

            Ctrl-C here ends the server.

            """
    }
}
