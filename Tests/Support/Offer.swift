/// An SDP offer as the client of interop.md makes it, with the parts that tests change.
package struct Offer: Sendable {
    package var host = "127.0.0.1"
    package var port: UInt16 = 2855
    package var tls = false
    package var sessionID: String
    package var acceptTypes: String? = "message/cpim text/* image/* application/im-iscomposing+xml"
    package var acceptWrappedTypes: String? = "text/* image/* application/im-iscomposing+xml"
    package var setup: String? = "active"
    package var direction: String?
    package var chatroom: String?
    package var version = 1
    package var extra = ""

    package init(tls: Bool = false, host: String = "127.0.0.1") {
        self.tls = tls
        self.host = host
        sessionID = String(UInt64.random(in: 0...UInt64.max), radix: 16)
    }

    package var path: String {
        let uriHost = host.contains(":") ? "[\(host)]" : host
        return "\(tls ? "msrps" : "msrp")://\(uriHost):\(port)/\(sessionID);tcp"
    }

    package var text: String {
        let family = host.contains(":") ? "IP6" : "IP4"
        var lines = [
            "v=0", "o=- 3988888888 398888888\(version) IN \(family) \(host)", "s=raw-client", "t=0 0",
            "m=message \(port) \(tls ? "TCP/TLS/MSRP" : "TCP/MSRP") *", "c=IN \(family) \(host)", "a=path:\(path)",
        ]
        if let acceptTypes { lines.append("a=accept-types:\(acceptTypes)") }
        if let acceptWrappedTypes { lines.append("a=accept-wrapped-types:\(acceptWrappedTypes)") }
        if let setup { lines.append("a=setup:\(setup)") }
        if let direction { lines.append("a=\(direction)") }
        if let chatroom { lines.append(chatroom.isEmpty ? "a=chatroom" : "a=chatroom:\(chatroom)") }
        return lines.map { "\($0)\r\n" }.joined() + extra
    }
}
