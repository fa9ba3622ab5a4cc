internal import SIP

/// What to do with a server that was started to be tried.
enum DemoHints {
    /// Lines for standard output, after the ready line.
    static func text(_ server: Server, program: String) async -> String {
        guard let conference = server.conference else { return "" }
        let settings = await server.settings
        let domain = ServedDomains(settings).all.first ?? "127.0.0.1"
        let configured = settings.rooms.first
        let user = configured?.user ?? "lobby"
        let host = HostPort(host: configured?.domain ?? domain, port: nil).description
        guard let listener = conference.sipListeners.first else { return "" }
        let port = listener.port == listener.transport.defaultPort ? "" : ":\(listener.port)"
        let transport = listener.transport == .udp ? "" : " --transport \(listener.transport.rawValue)"
        return """

            Call   sip:\(user)@\(host)\(port)   from any SIP client with MSRP chat.
            Or type this in a second terminal, and the same with another name in a third:

              \(program) chat sip:\(user)@\(host)\(port) --as sip:alice@\(host)\(transport)

            Ctrl-C here ends the server.

            """
    }
}
