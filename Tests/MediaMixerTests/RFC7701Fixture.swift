import MediaMixer
import NIOCore
import Support
import Testing

extension MixerFixture {
    /// As `join`, for somebody of whom more is said.
    func enter(
        _ user: String, _ adjust: (inout JoinRequest) -> Void = { _ in },
        media adjustMedia: (inout PeerMedia) -> Void = { _ in }
    ) async throws -> TestParticipant {
        var request = JoinRequest(
            room: room, participant: "sip:\(user)@example.com", account: "\(user)@example.com",
            media: media(user, adjust: adjustMedia), localHost: "127.0.0.1", localPort: Int(address.port))
        adjust(&request)
        let reservation = try await mixer.reserve(request)
        await mixer.joined(reservation.member)
        let participant = try TestParticipant(user, reservation, room: room)
        let bound = try participant.msrp.bind()
        guard bound.status == 200 else { throw SupportError("the bind was answered with \(bound.word)") }
        return participant
    }

    /// Changes what holds in the room.
    func change(_ version: UInt64, _ body: (inout RoomTerms) -> Void) async throws {
        var terms = try #require(await mixer.terms(of: room))
        terms.version = version
        body(&terms)
        await mixer.open(terms)
    }
}

extension TestParticipant {
    /// Sends CPIM as it is written here; the status it is answered with.
    func send(_ cpim: String, extra: String = "") throws -> Int { try send(Array(cpim.utf8), extra: extra) }

    func send(_ cpim: [UInt8], extra: String = "") throws -> Int {
        try msrp.response(to: msrp.post(cpim, extra: extra)).status
    }

    /// CPIM with the headers given.
    func wrapped(
        from: String? = nil, to: String? = nil, headers: String = "", type: String = "text/plain", _ text: String
    ) -> String {
        "From: \(from ?? "<\(uri)>")\r\nTo: \(to ?? "<\(room.uri)>")\r\n\(headers)\r\nContent-Type: \(type)\r\n\r\n\(text)"
    }

    /// NICKNAME with the header as written, or without it.
    func nickname(_ value: String?, extra: String = "") throws -> MSRPFrame {
        let id = msrp.newID()
        let header = value.map { "Use-Nickname: \($0)\r\n" } ?? ""
        try msrp.stream.send(
            "MSRP \(id) NICKNAME\r\nTo-Path: \(msrp.remotePath)\r\nFrom-Path: \(msrp.localPath)\r\n\(header)\(extra)"
                + "-------\(id)$\r\n")
        return try msrp.response(to: id)
    }

    /// That nothing but `text` came, from a message everybody gets.
    func hearsNothing(before text: String) throws { #expect(try hears() == text) }
}
