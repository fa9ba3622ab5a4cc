import Foundation

extension RawRelayClient {
    /// AUTH's To-Path: the SIP domain and the relay's port, no session part.
    package func relayURI(_ domain: String) -> String {
        "msrps://\(domain):\(stream.remote.port);tcp"
    }

    /// Sends an AUTH and waits for its response. `through` are relays that we have been authenticated at.
    package func auth(
        _ target: String, authorization: String? = nil, expires: String? = nil, fields: String = "",
        through: [String] = [], within seconds: Double = 10
    ) throws -> MSRPFrame {
        let lines =
            (authorization.map { "Authorization: \($0)\r\n" } ?? "") + (expires.map { "Expires: \($0)\r\n" } ?? "")
            + fields
        let id = try post("AUTH", to: (through + [target]).joined(separator: " "), fields: lines)
        return try response(to: id, within: seconds)
    }

    /// The challenge that counts: msrplib keeps the last WWW-Authenticate, Kamailio's clients the first.
    package func challenge(in response: MSRPFrame) throws -> [String: String] {
        let all = response.fields.filter { $0.name.lowercased() == "www-authenticate" }.map(\.value)
        guard let header = dialect == .msrplib ? all.last : all.first else {
            throw SupportError("no challenge in \(response)")
        }
        return DigestAnswer.parameters(header)
    }

    /// The answer to a challenge, as this dialect's clients give it.
    package func digestAnswer(
        to challenge: [String: String], as user: String, password: String, target: String
    ) -> DigestAnswer {
        var answer = DigestAnswer(username: user, password: password, uri: target, challenge: challenge)
        answer.dialect = dialect
        return answer
    }

    /// The whole dance: AUTH, 401, AUTH. The last response; with 200 `usePath` is what it says, after the proof in
    /// Authentication-Info was checked.
    @discardableResult
    package func authenticate(
        as user: String = "alice", password: String? = nil, domain: String = RelayProcess.domain,
        target: String? = nil, expires: String? = nil, through: [String] = [],
        change: (inout DigestAnswer) -> Void = { _ in }
    ) throws -> MSRPFrame {
        let target = target ?? relayURI(domain)
        let first = try auth(target, through: through)
        guard first.status == 401 else { return first }
        var answer = digestAnswer(
            to: try challenge(in: first), as: user, password: password ?? RelayProcess.password(of: user),
            target: target)
        change(&answer)
        let last = try auth(target, authorization: answer.header, expires: expires, through: through)
        if last.status == 200 {
            try answer.check(authenticationInfo: last["Authentication-Info"] ?? "")
            usePath = last["Use-Path"]?.split(separator: " ").map(String.init) ?? []
            guard !usePath.isEmpty else { throw SupportError("no Use-Path in \(last)") }
        }
        lastAnswer = answer
        return last
    }
}
