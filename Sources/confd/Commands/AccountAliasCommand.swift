internal import ArgumentParser
internal import Client
internal import Store

/// `confd account alias`
struct AccountAliasCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "alias",
        abstract: "Give accounts other addresses that they may call from.",
        discussion: """
            Who calls must be who From says: the account, or one of its aliases. Several accounts may share an alias \
            (sales@example.com); an account's own name is no one else's.
            """,
        subcommands: [Add.self, List.self, Remove.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Add an alias.",
            discussion: "  confd account alias add alice@example.com sales@example.com")

        @OptionGroup var account: AccountArgument
        @OptionGroup var alias: AccountAliasArgument
        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            try await AccountDesk.work(options) { (desk) throws(StoreError) in
                let (account, alias) = (try AccountName(account.text), try AccountName(alias.text))
                let database = try await desk.open(making: false)
                try await database.addAlias(alias, of: account)
                await database.close()
                desk.hint()
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Take an alias away.")

        @OptionGroup var account: AccountArgument
        @OptionGroup var alias: AccountAliasArgument
        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            try await AccountDesk.work(options) { (desk) throws(StoreError) in
                let (account, alias) = (try AccountName(account.text), try AccountName(alias.text))
                let database = try await desk.open(making: false)
                try await database.removeAlias(alias, of: account)
                await database.close()
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the aliases of an account, or of all.")

        @Argument(help: ArgumentHelp("The account; without it, all.", valueName: "user@domain"))
        var account: String?

        @Flag(help: "Print them as JSON: an array of objects with account and alias.")
        var json = false

        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            try await AccountDesk.work(options) { (desk) throws(StoreError) in
                let account = try account.map { text throws(StoreError) in try AccountName(text) }
                // Looking makes no file.
                let database = desk.exists ? try await desk.open(making: false) : nil
                if let account, let database, try await !database.contains(account) {
                    throw StoreError("there is no account \(account)")
                }
                let aliases = try await database?.aliases(of: account) ?? []
                await database?.close()
                StandardOutput.write(json ? Self.json(aliases) : Self.table(aliases))
            }
        }

        /// An array in one line.
        private static func json(_ aliases: [AccountAlias]) -> String {
            let objects = aliases.map { alias in
                JSONText.object([
                    ("account", JSONText.string("\(alias.account)")), ("alias", JSONText.string("\(alias.alias)")),
                ])
            }
            return "[" + objects.joined(separator: ", ") + "]\n"
        }

        private static func table(_ aliases: [AccountAlias]) -> String {
            guard !aliases.isEmpty else { return "" }
            let rows = [["account", "alias"]] + aliases.map { ["\($0.account)", "\($0.alias)"] }
            return RoomText.table(rows).map { "\($0)\n" }.joined()
        }
    }
}

/// The alias that a command is about.
struct AccountAliasArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The other address, such as sales@example.com.", valueName: "alias@domain"))
    var text: String
}
