internal import MSRPTransport
internal import MSRPTransport
internal import NIOGnuTLS
internal import RelayCore

extension Settings.Relay {
    /// In the relay's own words.
    /// - Parameters:
    ///   - listener: the actual address of the relay's listener.
    ///   - answerTime: `[MSRP] transaction_timeout`
    func configuration(
        _ certificates: Certificates, listener: HostPort?, answerTime: Duration
    ) -> RelayConfiguration {
        var configuration = RelayConfiguration(
            hostname: hostname ?? Self.name(certificates.relay) ?? listener?.host ?? "127.0.0.1",
            port: listener?.port ?? port)
        configuration.defaultDomain = defaultDomain
        configuration.allowsOtherMethods = allowOtherMethods
        configuration.allowsPlainAuth = debugNoTLS
        configuration.logsFailedAuth = logFailedAuth
        configuration.maxAuthAttempts = maxAuthAttempts
        configuration.challengeLifetime = challengeExpiration
        configuration.minimumExpires = minimumExpires
        configuration.defaultExpires = defaultExpires
        configuration.maximumExpires = maximumExpires
        configuration.maximumSessionTime = maximumSessionTime
        configuration.peers = peers.map { RelayPeer(host: $0.host, port: $0.port) }
        configuration.egress = egress.policy ?? (HostNames.arePrivate ? .any : nil)
        configuration.answerTime = answerTime
        configuration.windowBytes = window
        configuration.sessionRate = sessionRate
        configuration.accountRate = accountRate
        return configuration
    }

    /// The certificate's first name that names a single host.
    private static func name(_ identity: TLSIdentity) -> String? {
        identity.names.first { !$0.hasPrefix("*") && !$0.isEmpty }
    }
}
