import Foundation

/// One way by which a client's SIP messages come and go: its datagram socket, its connection, or a connection that
/// confd opened to it.
final class SIPWire {
    enum Medium {
        case datagrams(DatagramSocket)
        case stream(ByteStream)
    }

    let medium: Medium
    private var received = [UInt8]()
    private(set) var isClosed = false

    init(_ medium: Medium) {
        self.medium = medium
    }

    var descriptor: Int32 {
        switch medium {
        case .datagrams(let socket): socket.descriptor
        case .stream(let stream): stream.descriptor
        }
    }

    func send(_ bytes: [UInt8]) throws {
        switch medium {
        case .datagrams(let socket): try socket.send(bytes)
        case .stream(let stream): try stream.send(bytes)
        }
    }

    /// The next message that is here already; reads what the socket has, and does not wait.
    func message() throws -> SIPMessage? {
        switch medium {
        case .datagrams(let socket):
            while let datagram = try socket.receive(.after(seconds: 0)) {
                // A keep-alive's answer is two or four octets.
                if datagram.allSatisfy({ $0 == 13 || $0 == 10 }) { continue }
                guard let parsed = try SIPMessage.parse(datagram[...], datagram: true) else {
                    throw SupportError("a datagram without a blank line")
                }
                return parsed.message
            }
            return nil
        case .stream(let stream):
            while true {
                while let first = received.first, first == 13 || first == 10 { received.removeFirst() }
                if let parsed = try SIPMessage.parse(received[...], datagram: false) {
                    received.removeFirst(parsed.size)
                    return parsed.message
                }
                guard let bytes = try stream.receiveIfAny(.after(seconds: 0)) else { return nil }
                if bytes.isEmpty {
                    isClosed = true
                    return nil
                }
                received += bytes
            }
        }
    }
}
