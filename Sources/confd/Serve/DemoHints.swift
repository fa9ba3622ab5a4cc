internal import SIP

/// What to do with a server that was started to be tried.
enum DemoHints {
    /// Lines for standard output, after the ready line.
    static func text(_ server: Server, program: String) async -> String {
        let settings = await server.settings
        var lines: [String] = []
        if let listener = server.conference?.sipListeners.first { lines += rooms(settings, listener, program) }
        if let address = await server.listeners.relay.first {
            lines += relay(settings, HostPort(address), server.stateDirectory, program)
        }
        if lines.isEmpty { return "" }
        return "\n" + (lines + ["Ctrl-C here ends the server.", "", ""]).joined(separator: "\n")
    }

    private static func rooms(_ settings: Settings, _ listener: Endpoint, _ program: String) -> [String] {
        let domain = ServedDomains(settings).all.first ?? "127.0.0.1"
        let configured = settings.rooms.first
        let user = configured?.user ?? "lobby"
        let host = HostPort(host: configured?.domain ?? domain, port: nil).description
        let port = listener.port == listener.transport.defaultPort ? "" : ":\(listener.port)"
        let transport = listener.transport == .udp ? "" : " --transport \(listener.transport.rawValue)"
        return [
            "Call   sip:\(user)@\(host)\(port)   from any SIP client with MSRP chat.",
            "Or type this in a second terminal, and the same with another name in a third:",
            "",
            "  \(program) chat sip:\(user)@\(host)\(port) --as sip:alice@\(host)\(transport)",
            "",
        ]
    }

    /// Where there are accounts in the file, and a certificate that the client can be told to trust.
    private static func relay(
        _ settings: Settings, _ address: HostPort, _ stateDirectory: String, _ program: String
    ) -> [String] {
        guard settings.conference.demo, settings.relay?.backend == .memory, let account = settings.memory.first,
            settings.relay?.certificate == nil, settings.msrp.certificate == nil, settings.sip.certificate == nil
        else { return [] }
        let trust = "--trust \(stateDirectory)/certificate.pem"
        return [
            "Receive a file through the relay (the password is in [Memory]), and send one to the path that is printed:",
            "",
            "  \(program) relay-receive --as \(account.username)@\(account.domain) --relay \(address) \(trust)",
            "  \(program) send-file FILE 'PATH' \(trust)",
            "",
        ]
    }
}
