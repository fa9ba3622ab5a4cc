internal import ArgumentParser
internal import MediaMixer

#if canImport(Glibc)
    internal import Glibc
#endif

// What `confd room` does to people.

extension RoomCommand {
    struct Kick: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Take somebody out of a room.",
            discussion: """
                All of their devices get BYE; they may come back ('confd room ban' keeps them out). Exit status 3: the \
                server does not run.
                """)

        @OptionGroup var room: RoomArgument
        @OptionGroup var person: RoomPersonArgument

        @ArgumentParser.Option(help: "Told to them in the BYE.")
        var reason: String?

        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                let reason = try RoomTexts.line(reason, "reason")
                try await desk.change(.kick(room.address(), account: person.account(), reason: reason))
            }
        }
    }

    struct Ban: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Keep somebody out of a room, and take out who is there.",
            discussion: """
                  confd room ban lobby@example.com eve@example.com --for '2 h' --reason "noise"
                  confd room ban lobby@example.com '*@spam.example'
                """)

        @OptionGroup var room: RoomArgument

        @Argument(
            help: ArgumentHelp("Who, such as eve@example.com, or *@example.com for all.", valueName: "user@domain"))
        var person: String

        @ArgumentParser.Option(
            name: .customLong("for"), help: ArgumentHelp("How long: '30 min', '2 h', '7 d'.", valueName: "time"))
        var duration: String?

        @ArgumentParser.Option(help: ArgumentHelp("Until when, UTC: 2026-12-24T18:00Z.", valueName: "moment"))
        var until: String?

        @ArgumentParser.Option(help: "Told to them when they call.")
        var reason: String?

        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                let ban = RoomCondition.Ban(
                    account: try RoomNames.accountOrDomain(person), until: try end(),
                    reason: try RoomTexts.line(reason, "reason"))
                try await desk.change(.ban(room.address(), ban))
            }
        }

        private func end() throws(RoomFailure) -> Int64? {
            let now = Int64(time(nil))
            switch (duration, until) {
            case (nil, nil): return nil
            case (let duration?, nil): return now + (try RoomTimes.duration(duration))
            case (nil, let until?):
                let moment = try RoomTimes.moment(until)
                guard moment > now else { throw RoomFailure("'\(until)' is over already") }
                return moment
            case (_?, _?): throw RoomFailure("--for and --until say the same; leave one of them")
            }
        }
    }

    struct Unban: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Lift a ban.")

        @OptionGroup var room: RoomArgument

        @Argument(help: ArgumentHelp("Who, as 'confd room show' has it.", valueName: "user@domain"))
        var person: String

        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                let account = try RoomNames.accountOrDomain(person)
                try await desk.change(.unban(room.address(), account: account))
            }
        }
    }

    struct Mute: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let somebody read only.")

        @OptionGroup var room: RoomArgument
        @OptionGroup var person: RoomPersonArgument
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                try await desk.change(.mute(room.address(), account: person.account(), isMuted: true))
            }
        }
    }

    struct Unmute: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let somebody speak again.")

        @OptionGroup var room: RoomArgument
        @OptionGroup var person: RoomPersonArgument
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                try await desk.change(.mute(room.address(), account: person.account(), isMuted: false))
            }
        }
    }

    struct Role: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Give somebody a role in a room.",
            discussion: """
                  confd room role lobby@example.com bob@example.com moderator
                To hand a room over, make another one the owner and the old one a participant.
                """)

        /// A role, or none of its own.
        enum Choice: String, CaseIterable, ExpressibleByArgument {
            case owner, moderator, participant, observer
            case standard = "default"

            var role: RoomCondition.Role? { RoomCondition.Role(rawValue: rawValue) }
        }

        @OptionGroup var room: RoomArgument
        @OptionGroup var person: RoomPersonArgument

        @Argument(
            help: "owner, moderator, participant, observer (reads only), or default: what the room's settings say.")
        var role: Choice

        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                try await desk.change(.role(room.address(), account: person.account(), role.role))
            }
        }
    }
}
