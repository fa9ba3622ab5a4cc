import Support
import Testing

@testable import RelayCore

@Suite("Damaged AUTHs")
struct AuthFuzzTests {
    private static let tokens = [
        "\r\n", "\"", "\\", ",", "=", " ", "\t", "\0", "\n", "Digest ", "Basic ", "Authorization: ", "nonce=\"", "nc=",
        "qop=auth-int", "algorithm=SHA-256", "uri=\"msrps://x;tcp\"", "Expires: ", "99999999999999999999", "-1",
        "To-Path: ", "From-Path: ", "msrps://a:1/b;tcp ", "msrps://[::1]:99999;tcp", "-------", "$", "é", "\u{FFFD}",
        String(repeating: "x", count: 1100), String(repeating: ",a=b", count: 50),
    ]

    @Test(
        "a damaged AUTH gets one answer or a closed connection, and never stops the relay",
        arguments: 0..<4 as Range<UInt64>)
    func damaged(seed: UInt64) async throws {
        let fixture = try await AuthFixture { $0.maxAuthAttempts = 3 }
        var mutator = Mutator(seed: seed, tokens: Self.tokens)
        var answered = 0
        for _ in 0..<150 {
            let client = try fixture.connect()
            let answer = AuthClient.answer(to: try await client.auth(), dialect: mutator.choose(DigestDialect.allCases))
            let whole = AuthClient.request("damaged1", authorization: answer.header, expires: "600")
            // The end of what was damaged, if it has none any more; and a request that is answered when all before it
            // was. A REPORT or response is never answered.
            let end = "\r\n-------damaged1$\r\n" + AuthClient.request("the-last", to: "msrps://a:1/none;tcp")
            try client.stream.send(mutator.mutate(Array(whole.utf8)) + Array(end.utf8))
            let frames = try await Self.frames(of: client)
            answered += frames.count { $0.transactionID != "the-last" }
            #expect(frames.count { $0.transactionID != "the-last" } <= 1)
            #expect(frames.allSatisfy { $0.isResponse })
        }
        #expect(answered > 20)
        #expect(try await fixture.connect().authenticate().status == 200)
        try await fixture.end()
    }

    /// All that comes up to the last request's answer or the connection's end.
    private static func frames(of client: AuthClient) async throws -> [MSRPFrame] {
        var frames: [MSRPFrame] = []
        while let frame = try? await client.receive(within: 0.25) {
            frames.append(frame)
            if frame.transactionID == "the-last" { break }
        }
        return frames
    }
}
