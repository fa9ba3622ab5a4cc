internal import NIOGnuTLS

/// What our TLS listeners present: the configured certificates, else one generated at the first start.
struct Certificates: Sendable {
    let sip: TLSIdentity
    /// That of the rooms: what SDP shows a fingerprint of.
    let msrp: TLSIdentity
    let relay: TLSIdentity
    /// `[Certificate domain]`
    let others: [TLSIdentity]
    /// Whether the relay's was made by confd itself.
    let relayIsGenerated: Bool

    /// - Parameter names: what a generated certificate is made for.
    init(_ settings: Settings, stateDirectory: String, names: [String]) throws(StartError) {
        let sip = try Self.load(settings.sip.certificate, settings.sip.key, "SIP")
        let msrp = try Self.load(settings.msrp.certificate, settings.msrp.key, "MSRP")
        let relay = try Self.load(settings.relay?.certificate, settings.relay?.key, "Relay")
        var others: [TLSIdentity] = []
        for further in settings.certificates {
            if let identity = try Self.load(further.certificate, further.key, "Certificate \(further.domain)") {
                others.append(identity)
            }
        }
        self.others = others
        relayIsGenerated = relay == nil && msrp == nil && sip == nil
        // Each part that has none takes another's; only where there is none at all is one made.
        if let own = sip ?? (settings.runsSIP ? nil : msrp ?? relay) {
            self.sip = own
        } else {
            self.sip = try Self.generated(stateDirectory, names)
        }
        self.msrp = msrp ?? sip ?? relay ?? self.sip
        self.relay = relay ?? self.msrp
    }

    /// What the MSRP and relay ports show: the first to clients that ask for no name or an unknown one.
    func onMSRPPorts(_ settings: Settings) -> [TLSIdentity] {
        let own = settings.runsSIP ? [msrp] + (settings.relay == nil ? [] : [relay]) : [relay]
        var seen: Set<[UInt8]> = []
        return (own + others).filter { seen.insert($0.chain.first ?? []).inserted }
    }

    private static func generated(_ stateDirectory: String, _ names: [String]) throws(StartError) -> TLSIdentity {
        do {
            return try SelfSignedCertificate.ensure(directory: stateDirectory, names: names).identity
        } catch {
            throw StartError("Conference", "state_directory", "\(error)")
        }
    }

    private static func load(
        _ certificate: String?, _ key: String?, _ section: String
    ) throws(StartError) -> TLSIdentity? {
        guard let certificate, let key else { return nil }
        do {
            return try TLSIdentity.load(certificateFile: certificate, keyFile: key)
        } catch {
            throw StartError(section, "certificate", "\(error)")
        }
    }
}

extension SettingsSource {
    /// Reports certificates, keys and authorities that can't be used, though their files are there, and names they
    /// are not for.
    mutating func checkCertificates(_ settings: Settings) {
        let sip = check(settings.sip.certificate, settings.sip.key, Options.SIP.certificate, Options.SIP.key)
        let msrp = check(settings.msrp.certificate, settings.msrp.key, Options.MSRP.certificate, Options.MSRP.key)
        let relay = check(
            settings.relay?.certificate, settings.relay?.key, Options.Relay.certificate, Options.Relay.key)
        for further in settings.certificates {
            let section = "Certificate \(further.domain)"
            let identity = check(
                further.certificate, further.key, Options.Certificate.certificate, Options.Certificate.key, in: section)
            if let identity, !identity.isFor(further.domain) {
                report(
                    Options.Certificate.certificate, section,
                    "the certificate is not for \(further.domain) but for \(Self.list(identity.names))")
            }
        }
        if let hostname = settings.relay?.hostname, let identity = relay ?? msrp ?? sip, !identity.isFor(hostname) {
            report(
                Options.Relay.hostname, "Relay",
                "'\(hostname)' is not among the certificate's names (\(Self.list(identity.names))); clients would refuse "
                    + "it")
        }
        guard let trust = settings.msrp.trust else { return }
        do {
            _ = try TLSContext.client(trust: .file(trust))
        } catch {
            report(Options.MSRP.trust, Options.MSRP.trust.section, "\(error)")
        }
    }

    private static func list(_ names: [String]) -> String {
        names.isEmpty ? "none" : names.prefix(5).joined(separator: ", ") + (names.count > 5 ? ", ..." : "")
    }

    private mutating func check(
        _ certificate: String?, _ key: String?, _ certificateOption: Option<String?>, _ keyOption: Option<String?>,
        in section: String? = nil
    ) -> TLSIdentity? {
        guard let certificate, let key else { return nil }
        do {
            return try TLSIdentity.load(certificateFile: certificate, keyFile: key)
        } catch {
            let isKey =
                switch error {
                case .notAKey, .keyMismatch: true
                case .notFound(let file), .unreadable(let file, _): file == key
                default: false
                }
            report(isKey ? keyOption : certificateOption, section ?? certificateOption.section, "\(error)")
            return nil
        }
    }
}
