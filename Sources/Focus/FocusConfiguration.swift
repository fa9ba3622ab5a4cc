package import MediaMixer
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

    /// The static rooms that the configuration file has.
    package var rooms: [RoomConfiguration] = []

    /// What they are like until their people change it: where the store has nothing about a room.
    package var conditions: [RoomAddress: RoomCondition] = [:]

    /// `[Conference] adhoc_rooms`: whether an INVITE makes a room that isn't there.
    package var createsRoomsOnDemand = true

    /// Who may make rooms, by INVITE to a new address or to the factory; `Group.listed` is `creators`. Moderators and
    /// owners are those of the room to be, so these two groups are nobody.
    package var mayCreate = RoomConfiguration.Group.everyone

    /// `user@domain`, or `*@domain`.
    package var creators: [String] = []

    /// What rooms made on demand are like; the address is each room's own.
    package var adhoc = RoomConfiguration(address: RoomAddress(user: "", domain: ""))

    /// How long a room made on demand stays when its last participant has left, so that it can come back.
    package var adhocGrace = Duration.zero

    /// The user part that makes a new room (RFC 4579 section 5.4); nil: there is no conference factory.
    package var factoryName: String? = "conference"

    /// When a room of the factory ends (RFC 4579 section 5.12).
    package var factoryEnds = RoomConfiguration.Ending.ownerLeaves

    /// What every answer and offer of ours says about MSRP.
    package var media: LocalMedia

    /// Whether our offer (an INVITE without one) is TCP/TLS/MSRP also where the INVITE came over UDP or TCP.
    package var alwaysOffersTLS = false

    /// `ack_timeout`: how long the ACK of our 200 may take before the participant is out of the room.
    package var acknowledgementTimeout: Duration = .seconds(5)

    /// How long the peer may take to end the call of a file that is through, before we do.
    package var fileEndTimeout: Duration = .seconds(5)

    /// How often files are looked for that have expired.
    package var fileSweep: Duration = .seconds(60)

    /// How long shutdown waits for the BYEs to be answered.
    package var shutdownTimeout: Duration = .seconds(5)

    /// Dialling out: routing, times and bounds.
    package var dialling = DialConfiguration()

    package var limits = Limits()

    package var access = AccessConfiguration()
    package var notifying = NotifyConfiguration()

    package init(domains: [String], mediaListeners: [HostAndPort], media: LocalMedia) {
        self.domains = domains
        self.mediaListeners = mediaListeners
        self.media = media
    }

    /// What peers may use, and what they hear beyond it. A room's own limit is the mixer's: 486.
    package struct Limits: Sendable {
        /// Participants in all rooms, pending ones included: 480.
        package var participants = 20_000
        /// The most that any room takes, whatever its configuration says: 486.
        package var participantsPerRoom = 1_000
        /// Rooms: 480.
        package var rooms = 10_000
        /// Bans, roles, muted people and keywords of one room, each.
        package var entriesPerRoom = 1_000
        /// INVITE dialogs, those that are ending included: 480.
        package var dialogs = 25_000
        /// Calls for files, in all: 480.
        package var transfers = 1_000
        /// Calls for files of one account in one room: 480.
        package var transfersPerAccount = 8
        /// Files of a room that the roster shows, the newest.
        package var filesShown = 100
        /// Calls of ours that push a file on, at a time; others wait.
        package var filePushes = 16
        /// Those that wait; further people have only the announcement.
        package var filePushesWaiting = 2_000
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
