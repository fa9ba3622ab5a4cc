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
