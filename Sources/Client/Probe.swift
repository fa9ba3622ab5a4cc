package import Logging
package import SIP

/// Asks a SIP address by OPTIONS what it is (RFC 3261 section 11, RFC 4579 section 5.13).
package enum Probe {
    /// - Throws: `ClientError.noAnswer` when nobody answered within `timeout`.
    package static func run(
        _ peer: Peer, timeout: Duration, logger: Logger
    ) async throws(ClientError) -> ProbeResult {
        let stack = try await ClientStack.start(for: peer, logger: logger)
        let from = "<sip:probe@\(peer.localAddress.contains(":") ? "[\(peer.localAddress)]" : peer.localAddress)>"
        let answer = await withTaskGroup(of: (response: Response, roundTrip: Duration)?.self) { group in
            group.addTask { await stack.options(peer.target, from: from, headers: []) }
            group.addTask {
                try? await Task.sleep(for: timeout)
                return nil
            }
            let first = await group.next() ?? nil
            group.cancelAll()
            return first
        }
        await stack.shutdown()
        let place = "\(peer.route)"
        guard let answer else {
            throw .noAnswer("no answer from \(place) within \(timeout.formatted)")
        }
        // What the stack itself made: it timed out, or could not send.
        guard !answer.response.isLocal else {
            throw .noAnswer("no answer from \(place): \(answer.response.status) \(answer.response.phrase)")
        }
        return ProbeResult(peer: peer, response: answer.response, roundTrip: answer.roundTrip)
    }
}

/// What an OPTIONS answer says.
package struct ProbeResult: Sendable, Equatable {
    package let uri: String
    package let place: String
    package let status: Int
    package let phrase: String
    package let isFocus: Bool
    package let contact: String?
    package let methods: [String]
    package let supported: [String]
    package let events: [String]
    package let accept: [String]
    package let server: String?
    package let roundTrip: Duration

    package init(peer: Peer, response: Response, roundTrip: Duration) {
        uri = peer.uri.description
        place = peer.route.description
        status = response.status
        phrase = response.phrase
        // RFC 3840 section 9: a feature parameter of the Contact header.
        isFocus = response.isSuccess && response.contacts.contains { $0.parameter("isfocus") != nil }
        contact = response.contacts.first?.description
        methods = response.headers.items("Allow")
        supported = response.headers.items("Supported")
        events = response.headers.items("Allow-Events")
        accept = response.headers.items("Accept")
        server = response.headers["Server"] ?? response.headers["User-Agent"]
        self.roundTrip = roundTrip
    }

    /// For people.
    package var text: String {
        func list(_ items: [String]) -> String { items.isEmpty ? "-" : items.joined(separator: ", ") }
        let verdict =
            switch (isFocus, (200..<300).contains(status)) {
            case (true, _): "is a conference focus"
            case (false, true): "answers, but is not a conference focus"
            case (false, false): "is not a conference focus here: \(status) \(phrase)"
            }
        return """
            \(uri) \(verdict)
              answered by  \(place) in \(roundTrip.formatted)
              contact      \(contact ?? "-")
              server       \(server ?? "-")
              methods      \(list(methods))
              supported    \(list(supported))
              events       \(list(events))
              accept       \(list(accept))
            """
    }

    /// For tools: one line.
    package var json: String {
        JSONText.object([
            ("uri", JSONText.string(uri)), ("focus", isFocus ? "true" : "false"), ("status", "\(status)"),
            ("phrase", JSONText.string(phrase)), ("rtt_ms", roundTrip.milliseconds),
            ("address", JSONText.string(place)), ("contact", contact.map(JSONText.string) ?? "null"),
            ("server", server.map(JSONText.string) ?? "null"), ("methods", JSONText.array(methods)),
            ("supported", JSONText.array(supported)), ("events", JSONText.array(events)),
            ("accept", JSONText.array(accept)),
        ])
    }
}

extension Duration {
    /// Milliseconds with two decimals.
    var milliseconds: String {
        let (seconds, attoseconds) = components
        let hundredths = seconds * 100_000 + attoseconds / 10_000_000_000_000
        let fraction = String(hundredths % 100)
        return "\(hundredths / 100).\(fraction.count == 1 ? "0" : "")\(fraction)"
    }

    /// `1.52 ms`, or whole seconds.
    var formatted: String {
        let (seconds, attoseconds) = components
        return attoseconds == 0 && seconds > 0 ? "\(seconds) s" : "\(milliseconds) ms"
    }
}
