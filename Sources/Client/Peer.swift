package import SIP
import Logging
import NIOCore
import NIOPosix

#if canImport(Glibc)
    import Glibc
#endif

/// The server a command talks to: its address, and our own address that faces it.
package struct Peer: Sendable, Equatable {
    package let uri: SIPURI
    package let transport: SIPTransport
    /// Numeric; IPv6 without brackets.
    package let address: String
    package let port: Int
    /// Our address on the way there.
    package let localAddress: String

    /// Where requests are sent, whatever their URI says.
    package var route: Endpoint { Endpoint(transport: transport, host: address, port: port) }

    /// The request URI: what the user wrote, with the transport where it isn't the default.
    package var target: SIPURI {
        var target = uri
        if transport != .udp, target.parameter("transport") == nil, !target.isSecure {
            target.parameters.append(SIPURI.Parameter("transport", transport.rawValue))
        }
        return target
    }

    /// Finds the server's address. The host is looked up as it stands (no NAPTR or SRV), a missing port is the
    /// transport's.
    ///
    /// - Parameters:
    ///   - text: `sip:user@host[:port][;transport=...]`.
    ///   - transport: nil for what the URI says, or udp.
    package static func find(_ text: String, transport: SIPTransport?) async throws(ClientError) -> Peer {
        guard let uri = SIPURI(text.contains(":") && !text.hasPrefix("[") ? text : "sip:\(text)"), uri.isSIP else {
            throw .usage("'\(text)' is not a SIP address; write sip:room@host, such as sip:lobby@127.0.0.1")
        }
        let named = uri.parameter("transport").flatMap { SIPTransport(rawValue: $0.lowercased()) }
        let transport = transport ?? named ?? (uri.isSecure ? .tls : .udp)
        let port = uri.port ?? transport.defaultPort
        let host = uri.parameter("maddr") ?? uri.host
        let found = try? await NIOThreadPool.singleton.runIfActive { try Self.resolve(host: host, port: port) }
        guard let found else { throw .noAnswer("'\(host)' can't be found: no such host") }
        guard let local = found.local else { throw .noAnswer("there is no way to \(found.address) from here") }
        return Peer(uri: uri, transport: transport, address: found.address, port: port, localAddress: local)
    }

    /// The address of the host and our own that faces it; blocks. A datagram socket that is connected sends nothing,
    /// it only chooses a route.
    private static func resolve(host: String, port: Int) throws -> (address: String, local: String?) {
        let address = try SocketAddress.makeAddressResolvingHost(host, port: port)
        guard let numeric = address.ipAddress else { throw ClientError.noAnswer(host) }
        let descriptor = socket(
            address.protocol == .inet6 ? AF_INET6 : AF_INET, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return (numeric, nil) }
        defer { close(descriptor) }
        let connected = address.withSockAddr { connect(descriptor, $0, socklen_t($1)) }
        guard connected == 0 else { return (numeric, nil) }
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        var text = [CChar](repeating: 0, count: 128)
        let named = withUnsafeMutablePointer(to: &storage) {
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                getsockname(descriptor, $0, &length) == 0
                    && getnameinfo($0, length, &text, socklen_t(text.count), nil, 0, NI_NUMERICHOST) == 0
            }
        }
        guard named else { return (numeric, nil) }
        return (numeric, String(decoding: text.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self))
    }
}
