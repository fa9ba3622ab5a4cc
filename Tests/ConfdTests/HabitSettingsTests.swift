import FileSpool
import MediaMixer
import Testing

@testable import confd

@Suite("Settings of what is said and kept in rooms")
struct HabitSettingsTests {
    private func read(_ text: String) -> (settings: Settings, problems: [String]) {
        var source = SettingsSource { _ in true }
        source.add(file: Array(text.utf8), name: "config.ini", folder: "")
        let settings = Settings(&source)
        return (settings, source.problems.map(\.description))
    }

    @Test("a room takes what [Conference] says, and its own words before it")
    func inheritance() throws {
        let (settings, problems) = read(
            """
            [SIP]
            domains = example.com
            [Conference]
            history = last 20
            system_messages = unsubscribed
            congested = drop
            reserved_nicknames = admin, The Boss
            [Room a@example.com]
            history = 7 days
            history_private = Yes
            congested = disconnect after 30 s
            max_message_size = 64 KiB
            files = pushed
            [Room b@example.com]
            """)
        #expect(problems == [])
        let rooms = settings.rooms.map { $0.configuration(settings) }
        try #require(rooms.count == 2)
        #expect(rooms.map(\.history) == [.days(7), .last(20)])
        #expect(rooms.map(\.keepsPrivateMessages) == [true, false])
        #expect(rooms.map(\.systemLines) == [.unsubscribed, .unsubscribed])
        #expect(rooms.map(\.congestion) == [.disconnect(afterSeconds: 30), .drop])
        #expect(rooms.map(\.maximumMessageSize) == [65_536, nil])
        #expect(rooms.map(\.files) == [.pushed, .announced])
        #expect(rooms.map(\.reservedNicknames) == [["admin", "The Boss"], ["admin", "The Boss"]])
        #expect(settings.adhocRoom.history == .last(20))
    }

    @Test("without 'congested' a participant has slow_member_wait")
    func defaultCongestion() {
        let (settings, problems) = read("[MSRP]\nslow_member_wait = 7 s\n")
        #expect(problems == [])
        #expect(settings.adhocRoom.congestion == .disconnect(afterSeconds: 7))
        #expect(settings.adhocRoom.history == .none)
    }

    @Test(
        "what can't be right is named with what would be",
        arguments: [
            ("[Conference]\nhistory = 20", "not none, 'last 20' or '7 days'"),
            ("[Conference]\nhistory = last 0", "not none, 'last 20' or '7 days'"),
            ("[Conference]\nhistory = last 99999999999999999999", "not none, 'last 20' or '7 days'"),
            ("[Conference]\ncongested = wait", "not drop or 'disconnect after 5 s'"),
            ("[Conference]\nfiles = push", "did you mean 'pushed'?"),
            ("[Files]\nmax_size = 2 GiB", "[Files] room_size: is less than max_size"),
            ("[Files]\nmax_age = 5 s", "out of bounds"),
            (
                "[SIP]\ndomains = example.com\n[Room a@example.com]\nmax_message_size = 20 MiB",
                "max_message_size is more than that of [MSRP] (10 MiB)"
            ),
        ])
    func problems(_ text: String, _ words: String) throws {
        let problems = read(text).problems
        try #require(problems.count == 1)
        #expect(problems[0].contains(words), "\(problems[0])")
    }

    @Test("files are kept as [Files] says")
    func files() {
        let (settings, problems) = read(
            "[Files]\nmax_size = 5 MiB\nroom_size = 10 MiB\ntotal_size = 20 MiB\nper_room = 3\nmax_age = none")
        #expect(problems == [])
        let limits = settings.spoolLimits
        #expect(limits.fileSize == 5 << 20 && limits.roomBytes == 10 << 20 && limits.totalBytes == 20 << 20)
        #expect(limits.filesPerRoom == 3 && limits.age == nil)
    }

    @Test("texts of history and congestion are read as they are written")
    func texts() {
        let histories: [RoomConfiguration.History] = [.none, .last(1), .last(10_000), .days(1), .days(30)]
        #expect(histories.map { RoomConfiguration.History(text: $0.text) } == histories)
        let congestions: [RoomConfiguration.Congestion] = [
            .drop, .disconnect(afterSeconds: 0), .disconnect(afterSeconds: 3600),
        ]
        #expect(congestions.map { RoomConfiguration.Congestion(text: $0.text) } == congestions)
    }
}
