import Foundation
import Testing

@testable import confd

@Suite("The text of confd status")
struct StatusTextTests {
    @Test("bytes are rounded down to the unit's tenth")
    func bytes() {
        let cases: [(UInt64, String)] = [
            (0, "0 B"), (1023, "1023 B"), (1024, "1.0 KiB"), (1535, "1.4 KiB"), (1536, "1.5 KiB"),
            (1_048_575, "1023.9 KiB"), (1 << 20, "1.0 MiB"), (5 << 30, "5.0 GiB"), (.max, "15.9 EiB"),
        ]
        for (count, text) in cases { #expect(StatusText.bytes(count) == text) }
    }

    @Test("a duration has its two largest units")
    func duration() {
        let cases: [(Int, String)] = [
            (0, "0 s"), (59, "59 s"), (61, "1 min 1 s"), (3_600, "1 h 0 min"), (90_000, "1 d 1 h"),
        ]
        for (seconds, text) in cases { #expect(StatusText.duration(seconds) == text) }
    }

    @Test("sections have what was counted; names of clients can't steer the terminal")
    func sections() throws {
        let json = #"""
            {"version": "1", "pid": 7, "uptimeSeconds": 61, "listeners": {"msrp": ["127.0.0.1:2855"], "sip": []},
            "transport": {"connections": 0, "connectionsAccepted": 0, "connectionsOpened": 0, "tlsConnections": 0,
            "sessions": 0, "bytesIn": 0, "refusedByConnectionLimit": 0, "refusedByAddressLimit": 0,
            "unboundTimeouts": 0, "garbage": 0, "unknownSessions": 2, "sessionsInUse": 0, "connectFailures": 0,
            "egressRefusals": 0, "tlsFailures": 0},
            "relay": {"counters": {"sessions": 3, "sessionsOpened": 0, "sessionsEnded": {}, "bytesFromClients": 1536,
            "bytesFromPeers": 0, "messages": 0, "reportsMade": 0, "connectsFailed": 0,
            "authOutcomes": {"200": 3, "403": 1}, "refusals": {"481": 2, "599": 1}},
            "sessions": [{"account": "a\u001b[2Jlice@example.com", "state": "bound",
            "clientAddress": "192.0.2.1:5000", "bytesFromClient": 1536, "bytesFromPeer": 0, "messages": 2,
            "age": 61}]}}
            """#
        let status = try JSONDecoder().decode(ServerStatus.self, from: Data(json.utf8))
        #expect(
            StatusText.text(status) == """
                confd 1, process 7, running for 1 min 1 s
                listening  msrp: 127.0.0.1:2855

                connections
                  open               0
                  bound sessions     0
                  accepted           0
                  opened by us       0
                  over TLS           0
                  bytes received   0 B
                  unknown session    2

                relay
                  sessions                  3
                  sessions opened           0
                  messages                  0
                  bytes from clients  1.5 KiB
                  bytes from peers        0 B

                AUTH outcomes
                  200 OK         3
                  403 forbidden  1

                relay refusals
                  481 no such session  2
                  599                  1

                relay sessions
                  account                state  client          peer  from client  from peer  messages        age
                  a?[2Jlice@example.com  bound  192.0.2.1:5000  -         1.5 KiB        0 B         2  1 min 1 s
                  and 2 more

                """)
    }
}
