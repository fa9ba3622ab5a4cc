internal import Focus
internal import RelayCore

/// The server's status for people.
enum StatusText {
    static func text(_ status: ServerStatus) -> String {
        var lines = ["confd \(status.version), process \(status.pid), running for \(duration(status.uptimeSeconds))"]
        for (name, addresses) in status.listeners.sorted(by: { $0.key < $1.key }) where !addresses.isEmpty {
            lines.append("listening  \(name): \(addresses.joined(separator: ", "))")
        }
        lines += section("connections", transport(status.transport))
        if let sip = status.sip { lines += section("SIP", self.sip(sip)) }
        if let rooms = status.rooms { lines += section("rooms", self.rooms(rooms)) }
        if let relay = status.relay {
            lines += section("relay", self.relay(relay.counters))
            lines += section("AUTH outcomes", byCount(relay.counters.authOutcomes, label: outcome))
            lines += section("relay refusals", byCount(relay.counters.refusals, label: outcome))
            lines += section("relay sessions ended", byCount(relay.counters.sessionsEnded) { $0 })
            lines += sessions(relay)
        }
        return lines.map { "\($0)\n" }.joined()
    }

    // MARK: Sections

    private typealias Row = (label: String, value: String)

    private static func transport(_ transport: ServerStatus.Transport) -> [Row] {
        [
            ("open", "\(transport.connections)"), ("bound sessions", "\(transport.sessions)"),
            ("accepted", "\(transport.connectionsAccepted)"), ("opened by us", "\(transport.connectionsOpened)"),
            ("over TLS", "\(transport.tlsConnections)"), ("bytes received", bytes(transport.bytesIn)),
        ]
            + onlyCounted([
                ("refused, too many", transport.refusedByConnectionLimit),
                ("refused, too many of one address", transport.refusedByAddressLimit),
                ("closed, silent", transport.unboundTimeouts), ("closed, not MSRP", transport.garbage),
                ("unknown session", transport.unknownSessions), ("session in use", transport.sessionsInUse),
                ("connecting out failed", transport.connectFailures),
                ("connecting out not allowed", transport.egressRefusals), ("TLS failed", transport.tlsFailures),
            ])
    }

    private static func sip(_ sip: FocusStatus) -> [Row] {
        [
            ("calls", "\(sip.calls)"), ("subscriptions", "\(sip.subscriptions.subscriptions)"),
            ("notifications sent", "\(sip.subscriptions.notifies)"), ("requests let in", "\(sip.access.admitted)"),
        ]
            + onlyCounted([
                ("asked for a password", sip.access.challenged), ("wrong passwords", sip.access.failures),
                ("identities refused", sip.access.refused), ("throttled", sip.access.throttled),
                ("overloaded", sip.access.overloaded),
                ("subscriptions refused", sip.subscriptions.subscriptionsRefused),
                ("subscriptions failed", sip.subscriptions.subscriptionsFailed),
                ("notifications cut short", sip.subscriptions.documentsTooLarge),
                ("publications", sip.subscriptions.publicationsAccepted),
                ("publications refused", sip.subscriptions.publicationsRefused),
                ("REFERs obeyed", sip.dialOut.refersAccepted), ("REFERs refused", sip.dialOut.refersRefused),
                ("people being called", UInt64(clamping: sip.dialOut.underWay)),
                ("people to be called", UInt64(clamping: sip.dialOut.waiting)),
                ("people called", sip.dialOut.started), ("who came", sip.dialOut.succeeded),
                ("who did not", sip.dialOut.failed),
            ])
            + byCount(sip.dialOut.refusedByLimit) { "beyond \($0)" }
    }

    private static func rooms(_ rooms: ServerStatus.Rooms) -> [Row] {
        [
            ("rooms", "\(rooms.rooms)"), ("participants", "\(rooms.members)"),
            ("messages", "\(rooms.messagesAccepted)"), ("deliveries", "\(rooms.deliveries)"),
        ]
            + onlyCounted([
                ("messages refused", rooms.messagesRefused), ("messages dropped", rooms.messagesDropped),
                ("deliveries failed", rooms.deliveryFailures), ("slow participants removed", rooms.slowMembersRemoved),
                ("senders paused", rooms.sendersPaused), ("transactions timed out", rooms.transactionTimeouts),
                ("joins refused", rooms.joinsRefused), ("bytes queued", UInt64(clamping: rooms.queuedBytes)),
                ("participants congested", rooms.membersCongested), ("copies left out", rooms.messagesLeftOut),
                ("large messages", rooms.streams), ("large messages given up", rooms.streamsAborted),
                ("large messages not put together", rooms.streamsUnassembled),
                ("file transfers", UInt64(clamping: rooms.transfers)), ("files received", rooms.filesReceived),
                ("files sent", rooms.filesSent), ("file transfers failed", rooms.filesFailed),
                ("file transfers refused", rooms.filesRefused),
            ])
    }

    private static func relay(_ counters: RelayCounters) -> [Row] {
        [
            ("sessions", "\(counters.sessions)"), ("sessions opened", "\(counters.sessionsOpened)"),
            ("messages", "\(counters.messages)"), ("bytes from clients", bytes(counters.bytesFromClients)),
            ("bytes from peers", bytes(counters.bytesFromPeers)),
        ]
            + onlyCounted([
                ("reports made", counters.reportsMade), ("connecting out failed", counters.connectsFailed),
            ])
    }

    /// What should not happen is shown when it did.
    private static func onlyCounted(_ rows: [(label: String, count: UInt64)]) -> [Row] {
        rows.filter { $0.count > 0 }.map { ($0.label, "\($0.count)") }
    }

    private static func byCount(_ counts: [String: UInt64], label: (String) -> String) -> [Row] {
        counts.sorted { $0.key < $1.key }.map { (label($0.key), "\($0.value)") }
    }

    /// A status code with what it says of an AUTH or another request.
    private static func outcome(_ code: String) -> String {
        let meaning =
            switch code {
            case "200": "OK"
            case "400": "malformed"
            case "401": "challenged"
            case "403": "forbidden"
            case "408": "timed out"
            case "413": "stopped"
            case "415": "content not taken"
            case "423": "Expires out of bounds"
            case "481": "no such session"
            case "501": "method not supported"
            case "506": "session in use"
            default: ""
            }
        return meaning.isEmpty ? code : "\(code) \(meaning)"
    }

    private static func section(_ title: String, _ rows: [Row]) -> [String] {
        guard !rows.isEmpty else { return [] }
        let width = rows.map(\.label.count).max() ?? 0
        let values = rows.map(\.value.count).max() ?? 0
        return ["", title] + rows.map { "  \(left($0.label, width))  \(right($0.value, values))" }
    }

    private static func sessions(_ relay: RelaySnapshot) -> [String] {
        guard !relay.sessions.isEmpty else { return [] }
        let rows =
            [["account", "state", "client", "peer", "from client", "from peer", "messages", "age"]]
            + relay.sessions.map {
                [
                    printable($0.account), $0.state, $0.clientAddress, $0.peerAddress ?? "-", bytes($0.bytesFromClient),
                    bytes($0.bytesFromPeer), "\($0.messages)", duration($0.age),
                ]
            }
        let widths = rows[0].indices.map { column in rows.map { $0[column].count }.max() ?? 0 }
        let lines = rows.map { row in
            let cells = row.indices.map { $0 < 4 ? left(row[$0], widths[$0]) : right(row[$0], widths[$0]) }
            return "  " + cells.joined(separator: "  ")
        }
        let more = relay.counters.sessions - relay.sessions.count
        return ["", "relay sessions"] + lines + (more > 0 ? ["  and \(more) more"] : [])
    }

    // MARK: Values

    /// `1.5 MiB`; the exact count is in the JSON.
    static func bytes(_ count: UInt64) -> String {
        let units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]
        var (whole, tenths, unit) = (count, UInt64(0), 0)
        while whole >= 1024, unit < units.count - 1 {
            tenths = (whole % 1024) * 10 / 1024
            whole /= 1024
            unit += 1
        }
        return unit == 0 ? "\(count) B" : "\(whole).\(tenths) \(units[unit])"
    }

    static func duration(_ seconds: Int) -> String {
        let (days, hours, minutes) = (seconds / 86_400, seconds / 3600 % 24, seconds / 60 % 60)
        if days > 0 { return "\(days) d \(hours) h" }
        if hours > 0 { return "\(hours) h \(minutes) min" }
        if minutes > 0 { return "\(minutes) min \(seconds % 60) s" }
        return "\(seconds) s"
    }

    private static func left(_ text: String, _ width: Int) -> String {
        text + String(repeating: " ", count: max(0, width - text.count))
    }

    private static func right(_ text: String, _ width: Int) -> String {
        String(repeating: " ", count: max(0, width - text.count)) + text
    }

    /// Account names are a client's words: no control characters reach the terminal.
    private static func printable(_ text: String) -> String {
        String(String.UnicodeScalarView(text.unicodeScalars.map { $0.value < 0x20 || $0.value == 0x7F ? "?" : $0 }))
    }
}
