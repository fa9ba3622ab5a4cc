internal import ArgumentParser
internal import MediaMixer

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd room`
struct RoomCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "room",
        abstract: "Make, change, list and end rooms, and manage who is in them.",
        discussion: """
            The server that runs on this machine with the same configuration does the work, and it takes effect at once; \
            who may ask it is a matter of the rights of its state directory. Without a server the database there \
            (confd.sqlite) is changed, and the next start finds it so.
            Rooms are static: they outlive their participants and the server. Those of the configuration file are changed \
            there, but for what people change, too: title, subject, roles, bans, lock, policy.
            Exit status: 0 done, 1 not, 3 not done because the server does not run (kick, close).
            """,
        subcommands: [
            List.self, Show.self, Add.self, Change.self, Remove.self, Subject.self, Kick.self, Ban.self, Unban.self,
            Mute.self, Unmute.self, Lock.self, Unlock.self, Role.self, Close.self, RoomPolicyCommand.self,
            RoomHistoryCommand.self, RoomPurgeCommand.self,
        ])

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the rooms, a line each.",
            discussion: """
                Kinds: file (a [Room] section of the configuration file), stored ('confd room add'), adhoc and factory \
                (made by a call).
                """)

        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                let rooms = try await desk.perform(.list).rooms ?? []
                desk.print(text: RoomText.list(rooms), json: RoomJSON.list(rooms))
            }
        }
    }

    struct Show: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print a room's settings, what its people made of it, and who is there.")

        @OptionGroup var room: RoomArgument
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                guard let details = try await desk.perform(.show(room.address())).details else {
                    throw RoomFailure("the server has no answer")
                }
                desk.print(text: RoomText.details(details), json: RoomJSON.details(details))
            }
        }
    }

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make a static room.",
            discussion: """
                  confd room add lobby@example.com --title "The lobby" --owners alice@example.com
                  confd room add board@example.com --join listed --listed 'alice@example.com,*@board.example'
                What isn't said is as in [Conference]. Groups: everyone, domain (those of the room's domain), listed, \
                moderators, owners, nobody.
                """)

        @OptionGroup var room: RoomArgument
        @OptionGroup(title: "The room") var settings: RoomSettingOptions
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                var change = try settings.change()
                var configuration = desk.template(try room.address())
                change.rules.apply(to: &configuration)
                configuration.title = change.words.title ?? ""
                change.words.title = nil
                try await desk.change(.add(configuration, change.words))
            }
        }
    }

    struct Change: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            commandName: "set",
            abstract: "Change a room.",
            discussion: """
                  confd room set lobby@example.com --subject "Release on Friday" --speak moderators
                What isn't said stays. An empty text takes a title, subject, text or list away. Of rooms in the \
                configuration file, and of those made by a call, only title, subject, free text and keywords can be set.
                """)

        @OptionGroup var room: RoomArgument
        @OptionGroup(title: "The room") var settings: RoomSettingOptions
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                let change = try settings.change()
                guard change != RoomChange() else {
                    throw RoomFailure("there is nothing to change; 'confd room set --help' shows what can be said")
                }
                try await desk.change(.set(room.address(), change))
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Forget a static room, with its roles, bans, policy and history.",
            discussion: "Who is there gets BYE.")

        @OptionGroup var room: RoomArgument
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                try await desk.change(.remove(room.address()))
            }
        }
    }

    struct Subject: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Set what the talk is about; without a text, nothing in particular.")

        @OptionGroup var room: RoomArgument

        @Argument(help: "The subject; several words need no quotes.")
        var text: [String] = []

        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                var change = RoomChange()
                change.words.subject = try RoomTexts.line(text.joined(separator: " "), "subject")
                try await desk.change(.set(room.address(), change))
            }
        }
    }

    struct Lock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Let nobody new in but owners and moderators.")

        @OptionGroup var room: RoomArgument
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                try await desk.change(.lock(room.address(), isLocked: true))
            }
        }
    }

    struct Unlock: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Let people in again.")

        @OptionGroup var room: RoomArgument
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                try await desk.change(.lock(room.address(), isLocked: false))
            }
        }
    }

    struct Close: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "End a room made by a call; empty a static one, which stays.",
            discussion: "Everybody gets BYE. Exit status 3: the server does not run.")

        @OptionGroup var room: RoomArgument
        @OptionGroup var output: RoomOutputOptions

        func run() async throws {
            try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
                try await desk.change(.close(room.address()))
            }
        }
    }
}
