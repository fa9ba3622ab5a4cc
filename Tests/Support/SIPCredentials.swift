/// What a SIP client proves its name with (RFC 3261 section 22, RFC 8760), computed without the project's own modules.
package struct SIPCredentials: Sendable {
    package var username: String
    package var password: String
    /// The only algorithm this client can; nil: the first that it is offered.
    package var algorithm: String?

    package init(username: String, password: String, algorithm: String? = nil) {
        (self.username, self.password, self.algorithm) = (username, password, algorithm)
    }

    /// The challenges of a 401, in order; names in lower case.
    package static func challenges(of response: SIPMessage) -> [[String: String]] {
        response.all("WWW-Authenticate").map(DigestAnswer.parameters)
    }

    /// The answer to one challenge.
    package func answer(challenge: [String: String], _ method: String, _ uri: String) -> DigestAnswer {
        var answer = DigestAnswer(username: username, password: password, uri: uri, challenge: challenge)
        answer.dialect = .kamailio
        answer.method = method
        return answer
    }

    /// The Authorization line for the request that got this 401; nil when it is none, or no challenge suits.
    package func answer(to response: SIPMessage, _ method: String, _ uri: String) throws -> String? {
        guard response.status == 401 else { return nil }
        let challenge = Self.challenges(of: response).first {
            algorithm == nil || ($0["algorithm"] ?? "MD5").uppercased() == algorithm?.uppercased()
        }
        guard let challenge else { throw SupportError("no challenge that suits: \(response)") }
        return "Authorization: \(answer(challenge: challenge, method, uri).header)\r\n"
    }
}
