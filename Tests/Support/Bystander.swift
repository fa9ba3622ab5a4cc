import Foundation

/// Somebody whose address others use without asking: an open UDP port and a listening TCP port of the same number. It
/// answers nothing and notices everything.
package final class Bystander: @unchecked Sendable {
    // Unchecked: nothing changes after init; the kernel serialises the calls.
    private let datagrams: Int32
    private let listener: StreamListener
    package let address: SocketAddress

    package init() throws {
        listener = try StreamListener()
        address = SocketAddress(host: "127.0.0.1", port: listener.port)
        datagrams = socket(AF_INET, Int32(SOCK_DGRAM.rawValue) | O_CLOEXEC | O_NONBLOCK, 0)
        guard datagrams >= 0, try address.withSockaddr({ bind(datagrams, $0, $1) }) == 0 else {
            throw SupportError("no UDP port \(address)")
        }
    }

    deinit {
        Foundation.close(datagrams)
    }

    package func uri(_ user: String = "bystander", parameters: String = "") -> String {
        "sip:\(user)@\(address)\(parameters)"
    }

    /// What comes within this time: the first octets of a datagram or connection; nil: nothing.
    package func hears(within seconds: Double) throws -> String? {
        guard waitUntilReadable([datagrams, listener.descriptor], .after(seconds: seconds)) else { return nil }
        var buffer = [UInt8](repeating: 0, count: 2000)
        let count = recv(datagrams, &buffer, buffer.count, 0)
        if count > 0 { return String(decoding: buffer[..<count], as: UTF8.self) }
        guard let stream = try listener.acceptIfAny() else { return "something that went away again" }
        let bytes = try stream.receiveIfAny(.after(seconds: 1)) ?? []
        return "a connection: " + String(decoding: bytes.prefix(2000), as: UTF8.self)
    }
}
