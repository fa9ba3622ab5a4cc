internal import ArgumentParser
internal import FoundationEssentials
internal import MediaMixer

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd room history`
struct RoomHistoryCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "history",
        abstract: "Print what was said in a room, as far as it is kept.",
        discussion: """
              confd room history lobby@example.com --since 2h
              confd room history lobby@example.com --since 2026-12-24T18:00:00Z --format json
              confd room history lobby@example.com --last 50
            What is kept is a matter of 'history' in [Conference] and [Room ...]. Times are UTC. Without a server the \
            database is read.
            """)

    enum Format: String, ExpressibleByArgument, CaseIterable { case text, json }

    @OptionGroup var room: RoomArgument

    @ArgumentParser.Option(
        help: ArgumentHelp("From when on: a moment as RFC 3339 has it, or 2h or 3d ago.", valueName: "time"))
    var since: String?

    @ArgumentParser.Option(help: ArgumentHelp("Only the last so many.", valueName: "n"))
    var last: Int?

    @ArgumentParser.Option(help: "text, or json: an array of objects, one a line.")
    var format: Format = .text

    @OptionGroup var output: RoomOutputOptions

    func run() async throws {
        try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
            var query = HistoryQuery(room: try room.address())
            query.since = try since.map { text throws(RoomFailure) in
                try RoomTimes.instant(text, now: Int64(time(nil)) * 1000)
            }
            if let last {
                guard last > 0 else { throw RoomFailure("--last is a number from 1 on") }
                query.last = last
            }
            let isJSON = output.json || format == .json
            var separator = "["
            try await desk.history(query) { entries in
                var text = ""
                for entry in entries {
                    if isJSON {
                        text += "\(separator)\(RoomHistoryText.json(entry))"
                        separator = ",\n"
                    } else {
                        text += RoomHistoryText.line(entry)
                    }
                }
                StandardOutput.write(text)
            }
            if isJSON { StandardOutput.write(separator == "[" ? "[]\n" : "]\n") }
        }
    }
}

/// `confd room purge`
struct RoomPurgeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "purge",
        abstract: "Forget what was said in a room.",
        discussion: """
              confd room purge lobby@example.com                     all of it
              confd room purge lobby@example.com --before 7d --yes   what is older than seven days
            It is gone from the database and from the memory of the running server. Who was told it still has it.
            """)

    @OptionGroup var room: RoomArgument

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Only what was said before: a moment as RFC 3339 has it, or 2h or 3d ago.", valueName: "time"))
    var before: String?

    @Flag(help: "Don't ask.")
    var yes = false

    @OptionGroup var output: RoomOutputOptions

    func run() async throws {
        try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
            let address = try room.address()
            let time = try before.map { text throws(RoomFailure) in
                try RoomTimes.instant(text, now: Int64(Glibc.time(nil)) * 1000)
            }
            if !yes { try Self.ask(address, before) }
            let order = RoomOrder.purge(address, before: time)
            desk.report(try await desk.perform(order), of: order)
        }
    }

    private static func ask(_ room: RoomAddress, _ before: String?) throws(RoomFailure) {
        guard isatty(STDIN_FILENO) == 1 else { throw RoomFailure("nobody can be asked here; say --yes") }
        let what = before.map { "what was said in \(room) before \($0)" } ?? "all that was said in \(room)"
        StandardError.write("Forget \(what)? [y/N] ", terminator: "")
        guard let answer = readLine()?.lowercased(), answer == "y" || answer == "yes" else {
            throw RoomFailure("nothing was removed")
        }
    }
}
