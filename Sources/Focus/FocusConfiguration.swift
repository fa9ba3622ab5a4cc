package import Payloads

/// The focus's settings; every limit a peer can run into has its name here.
package struct FocusConfiguration: Sendable {
    /// `[SIP] domains`: what rooms are served under, the main domain first. The focus adds nothing to it, so the
    /// default (every name and address of this host) is put together by whoever reads the settings.
    package var domains: [String]

    /// `[SIP] advertise`: shown in Contact instead of the local address facing the peer.
    package var advertise: HostAndPort?

    /// `[MSRP] advertise`: shown in a=path instead of the local address facing the peer.
    package var mediaAdvertise: HostAndPort?

    /// Where the mixer listens, with the actual ports; wildcards as they are.
    package var mediaListeners: [HostAndPort]

    /// `[Conference] adhoc_rooms`: whether an INVITE makes a room that isn't there.
    package var createsRoomsOnDemand = true

    /// What every answer and offer of ours says about MSRP.
    package var media: LocalMedia

    /// Whether our offer (an INVITE without one) is TCP/TLS/MSRP also where the INVITE came over UDP or TCP.
    package var alwaysOffersTLS = false

    /// `ack_timeout`: how long the ACK of our 200 may take before the participant is out of the room.
    package var acknowledgementTimeout: Duration = .seconds(5)

    /// How long shutdown waits for the BYEs to be answered.
    package var shutdownTimeout: Duration = .seconds(5)

    package var limits = Limits()

    package init(domains: [String], mediaListeners: [HostAndPort], media: LocalMedia) {
        self.domains = domains
        self.mediaListeners = mediaListeners
        self.media = media
    }

    /// What peers may use, and what they hear beyond it. A room's own limit is the mixer's: 486.
    package struct Limits: Sendable {
        /// Participants in all rooms, pending ones included: 480.
        package var participants = 20_000
        /// INVITE dialogs, those that are ending included: 480.
        package var dialogs = 25_000
        /// INVITEs that wait for the mixer: 480.
        package var pendingInvites = 2_000
        /// Octets of a display name that are passed on; the rest is cut off.
        package var displayNameOctets = 256

        package init() {}
    }
}

/// A host, IPv6 without brackets, and perhaps a port.
package struct HostAndPort: Sendable, Hashable, CustomStringConvertible {
    package var host: String
    package var port: Int?

    package init(host: String, port: Int? = nil) {
        self.host = host.hasPrefix("[") && host.hasSuffix("]") ? String(host.dropFirst().dropLast()) : host
        self.port = port
    }

    package var description: String {
        let host = host.contains(":") ? "[\(host)]" : host
        return port.map { "\(host):\($0)" } ?? host
    }

    /// Stands for all addresses of this machine.
    var isWildcard: Bool { host == "0.0.0.0" || host == "::" || host == "*" || host.isEmpty }
}
