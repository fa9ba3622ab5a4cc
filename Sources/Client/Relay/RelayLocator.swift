/// Finds the servers that may be a domain's relay (RFC 4976 section 8).
package struct RelayLocator: Sendable {
    /// One server to try.
    package struct Candidate: Sendable, Equatable {
        package var host: String
        package var port: Int
        /// What its certificate has to be for, and what is sent as SNI (RFC 4976 section 9.2).
        package var name: String

        package init(host: String, port: Int, name: String) {
            self.host = host
            self.port = port
            self.name = name
        }
    }

    /// Of the servers a domain announces no more are tried.
    package static let mostCandidates = 8

    /// Looks SRV records up by name.
    package typealias Lookup = @Sendable (String) async throws(DNSResolver.Failure) -> [ServiceRecord]

    private let lookup: Lookup

    package init(lookup: @escaping Lookup) { self.lookup = lookup }

    /// With the name servers of this system.
    package init() {
        self.init { name async throws(DNSResolver.Failure) in try await DNSResolver().services(name) }
    }

    /// The servers in the order in which they are to be tried: the relay that the user named, else those that
    /// `_msrps._tcp` of the domain announces, else the domain itself on port 2855.
    package func candidates(
        relay: RelayAddress?, domain: String, using generator: inout some RandomNumberGenerator
    ) async throws(ClientError) -> [Candidate] {
        let name = relay?.host ?? domain
        let fallback = [Candidate(host: name, port: relay?.port ?? RelayAddress.defaultPort, name: name)]
        if relay != nil || Self.isNumeric(domain) { return fallback }
        let service = "_msrps._tcp.\(name)"
        let records: [ServiceRecord]
        do throws(DNSResolver.Failure) {
            records = try await lookup(service)
        } catch {
            switch error {
            case .noAnswer:
                throw .noAnswer("no name server answered for \(service); give the relay with --relay host:port")
            case .refused:
                // A server that can't say leaves the address look-up to try.
                return fallback
            }
        }
        if records.isEmpty { return fallback }
        let usable = records.filter { !$0.target.isEmpty && $0.port > 0 }
        guard !usable.isEmpty else {
            throw .noAnswer("\(name) announces that it has no MSRP relay (\(service)); give one with --relay host:port")
        }
        return ServiceRecord.order(usable, using: &generator).prefix(Self.mostCandidates).map {
            // The name that was asked for, not the one DNS gave, which anybody on the way may have written. A server
            // that has no certificate for it is refused, as RFC 4976 section 9.2 demands.
            Candidate(host: $0.target, port: Int($0.port), name: name)
        }
    }

    private static func isNumeric(_ host: String) -> Bool {
        host.contains(":") || host.utf8.allSatisfy { ($0 >= 0x30 && $0 <= 0x39) || $0 == UInt8(ascii: ".") }
    }
}
