/// The domains whose rooms are served, the main one first, and the names a generated certificate is made for.
struct ServedDomains: Equatable, Sendable {
    let all: [String]
    let certificateNames: [String]

    /// - Parameter host: every name and address of this host.
    init(_ settings: Settings, host: [String] = HostNames.all()) {
        let calls = settings.runsSIP ? settings.sip.listen.map(\.host) : []
        let listened = calls.filter { !Settings.isWildcard($0) }
        let advertised = [settings.sip.advertise?.host, settings.msrp.advertise?.host].compactMap { $0 }
        let configured = settings.sip.domains
        let media = [settings.msrp.host, settings.relay?.host].compactMap { $0 }.filter { !Settings.isWildcard($0) }
        let relay = [settings.relay?.hostname, settings.relay?.defaultDomain].compactMap { $0 }
        // What callers will see first: what is advertised, then what is listened on.
        all = configured.isEmpty ? Self.unique(advertised + listened + host) : configured
        certificateNames = Self.unique(advertised + relay + configured + listened + media + host)
    }

    private static func unique(_ names: [String]) -> [String] {
        var seen: Set<String> = []
        return names.map { $0.lowercased() }.filter { seen.insert($0).inserted }
    }
}
