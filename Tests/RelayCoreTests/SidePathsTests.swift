import MSRP
import MSRPTransport
import NIOCore
import Testing

@testable import RelayCore

@Suite struct SidePathsTests {
    let session = SessionID(text: "s1")
    let client = ByteBuffer(string: "msrp://10.0.0.1:9/alice;tcp")
    let peer = "msrp://192.0.2.1:8/bob;tcp"

    func head(to: String, from: String) throws -> Head {
        var parser = PartParser()
        var bytes = ByteBuffer(
            string: "MSRP abcd SEND\r\nTo-Path: \(to)\r\nFrom-Path: \(from)\r\nMessage-ID: m\r\n-------abcd$\r\n")
        guard case .head(let head) = try parser.next(&bytes) else { throw WireError(.notMSRP) }
        return head
    }

    func judge(_ paths: inout SidePaths, to: String, from: String, other: String = "") throws -> SidePaths.Verdict {
        paths.judge(try head(to: to, from: from), session: session, other: ByteBuffer(string: other))
    }

    @Test("RFC 4976 6.4: our URI moves from the front of To-Path to the front of From-Path")
    func shift() throws {
        var paths = SidePaths(from: client)
        let to = "msrps://relay.example.com:2855/s1;tcp  \(peer) msrp://far/x;tcp"
        #expect(try judge(&paths, to: to, from: "msrp://10.0.0.1:9/alice;tcp") == .accepted)
        #expect(
            String(buffer: paths.sendLines)
                == " SEND\r\nTo-Path: \(peer) msrp://far/x;tcp\r\n"
                + "From-Path: msrps://relay.example.com:2855/s1;tcp msrp://10.0.0.1:9/alice;tcp\r\n")
        #expect(
            String(buffer: paths.okTail)
                == " 200 OK\r\nTo-Path: msrp://10.0.0.1:9/alice;tcp\r\n"
                + "From-Path: msrps://relay.example.com:2855/s1;tcp\r\n-------")
    }

    @Test(
        "the paths are fixed by the first request that is accepted",
        arguments: [
            ("msrp://h:1/s1;tcp msrp://192.0.2.1:8/mallory;tcp", "msrp://10.0.0.1:9/alice;tcp"),
            ("msrp://h:1/s1;tcp msrp://192.0.2.1:8/bob;tcp", "msrp://10.0.0.1:9/mallory;tcp"),
            ("msrp://h:1/s1;tcp msrp://192.0.2.1:8/bob;tcp msrp://x/y;tcp", "msrp://10.0.0.1:9/alice;tcp"),
            ("msrp://h:1/s2;tcp msrp://192.0.2.1:8/bob;tcp", "msrp://10.0.0.1:9/alice;tcp"),
            ("msrp://h:1;tcp msrp://192.0.2.1:8/bob;tcp", "msrp://10.0.0.1:9/alice;tcp"),
        ])
    func changed(to: String, from: String) throws {
        var paths = SidePaths(from: client)
        #expect(try judge(&paths, to: "msrp://h:1/s1;tcp \(peer)", from: "msrp://10.0.0.1:9/alice;tcp") == .accepted)
        #expect(try judge(&paths, to: to, from: from) == .refused(.noSuchSession))
        #expect(try judge(&paths, to: "msrp://h:1/s1;tcp \(peer)", from: "msrp://10.0.0.1:9/alice;tcp") == .accepted)
    }

    @Test("RFC 4976 6.4.1: a REPORT may come from a relay on the way, and changes no path")
    func reportsOfRelays() throws {
        let to = "msrp://h:1/s1;tcp \(peer)"
        let way = "msrps://r:1/a;tcp msrps://s:1/b;tcp msrp://10.0.0.1:9/alice;tcp"
        var paths = SidePaths(from: ByteBuffer(string: way))
        #expect(try judge(&paths, to: to, from: way) == .accepted)
        for from in ["msrps://r:1/a;tcp", "msrps://r:1/a;tcp msrps://s:1/b;tcp", way] {
            #expect(
                paths.judgeReport(try head(to: to, from: from), session: session, other: ByteBuffer()) == .accepted)
        }
        for from in ["msrps://s:1/b;tcp", "msrp://10.0.0.1:9/alice;tcp", "\(way) msrp://x/y;tcp"] {
            #expect(
                paths.judgeReport(try head(to: to, from: from), session: session, other: ByteBuffer())
                    == .refused(.noSuchSession))
        }
        #expect(
            paths.judgeReport(
                try head(to: "msrp://h:1/s1;tcp msrp://other/x;tcp", from: "msrps://r:1/a;tcp"), session: session,
                other: ByteBuffer()) == .refused(.noSuchSession))
        #expect(try judge(&paths, to: to, from: way) == .accepted)
        #expect(try judge(&paths, to: to, from: "msrps://r:1/a;tcp") == .refused(.noSuchSession))
    }

    @Test("our URI is known by its session-id alone, whatever host stands before it")
    func sessionMatching() throws {
        var paths = SidePaths(from: client)
        #expect(try judge(&paths, to: "msrp://a:1/s1;tcp \(peer)", from: "msrp://10.0.0.1:9/alice;tcp") == .accepted)
        #expect(try judge(&paths, to: "msrps://b:2/s1;tcp \(peer)", from: "msrp://10.0.0.1:9/alice;tcp") == .accepted)
        #expect(
            paths.sendLines.readableBytesView.starts(
                with: " SEND\r\nTo-Path: \(peer)\r\nFrom-Path: msrps://b:2/s1".utf8))
    }

    @Test("URIs are compared as RFC 4975 6.1 says, not by their letters")
    func equivalence() throws {
        var paths = SidePaths(from: client)
        #expect(try judge(&paths, to: "msrp://a:1/s1;tcp \(peer)", from: "MSRP://10.0.0.1:9/alice;TCP") == .accepted)
    }

    @Test("a request that names nobody behind us is for us")
    func toUs() throws {
        var paths = SidePaths(from: client)
        #expect(try judge(&paths, to: "msrp://a:1/s1;tcp", from: "msrp://10.0.0.1:9/alice;tcp") == .toUs)
        #expect(!paths.isFixed)
    }

    @Test("the peer must name the client's way as it is, but for hosts that were rewritten")
    func otherSide() throws {
        var paths = SidePaths()
        let way = "msrp://10.0.0.1:9/alice;tcp"
        #expect(
            try judge(&paths, to: "msrp://a:1/s1;tcp msrp://10.0.0.1:9/eve;tcp", from: peer, other: way)
                == .refused(.noSuchSession))
        #expect(
            try judge(&paths, to: "msrp://a:1/s1;tcp msrp://nat.example.com:7/alice;tcp", from: peer, other: way)
                == .accepted)
    }

    @Test(
        "RFC 4975 7.2: what cannot be parsed is refused with 400", arguments: ["", "nonsense", "msrp://a:1/s1;tcp x"])
    func malformed(to: String) throws {
        var paths = SidePaths(from: client)
        #expect(try judge(&paths, to: to, from: "msrp://10.0.0.1:9/alice;tcp") == .refused(.badRequest))
    }
}
