internal import NIOGnuTLS

/// What our TLS listeners present: the configured certificates, else one generated at the first start.
struct Certificates: Sendable {
    let sip: TLSIdentity
    let msrp: TLSIdentity

    /// - Parameter names: what a generated certificate is made for.
    init(_ settings: Settings, stateDirectory: String, names: [String]) throws(StartError) {
        let sip = try Self.load(settings.sip.certificate, settings.sip.key, "SIP")
        let msrp = try Self.load(settings.msrp.certificate, settings.msrp.key, "MSRP")
        if let sip {
            self.sip = sip
            self.msrp = msrp ?? sip
            return
        }
        do {
            let generated = try SelfSignedCertificate.ensure(directory: stateDirectory, names: names).identity
            self.sip = generated
            self.msrp = msrp ?? generated
        } catch {
            throw StartError("[Conference] state_directory: \(error)")
        }
    }

    private static func load(
        _ certificate: String?, _ key: String?, _ section: String
    ) throws(StartError) -> TLSIdentity? {
        guard let certificate, let key else { return nil }
        do {
            return try TLSIdentity.load(certificateFile: certificate, keyFile: key)
        } catch {
            throw StartError("[\(section)] certificate: \(error)")
        }
    }
}

extension SettingsSource {
    /// Reports certificates, keys and authorities that can't be used, though their files are there.
    mutating func checkCertificates(_ settings: Settings) {
        check(settings.sip.certificate, settings.sip.key, Options.SIP.certificate, Options.SIP.key)
        check(settings.msrp.certificate, settings.msrp.key, Options.MSRP.certificate, Options.MSRP.key)
        guard let trust = settings.msrp.trust else { return }
        do {
            _ = try TLSContext.client(trust: .file(trust))
        } catch {
            report(Options.MSRP.trust, Options.MSRP.trust.section, "\(error)")
        }
    }

    private mutating func check(
        _ certificate: String?, _ key: String?, _ certificateOption: Option<String?>, _ keyOption: Option<String?>
    ) {
        guard let certificate, let key else { return }
        do {
            _ = try TLSIdentity.load(certificateFile: certificate, keyFile: key)
        } catch {
            let isKey =
                switch error {
                case .notAKey, .keyMismatch: true
                case .notFound(let file), .unreadable(let file, _): file == key
                default: false
                }
            report(isKey ? keyOption : certificateOption, certificateOption.section, "\(error)")
        }
    }
}
