internal import ArgumentParser
internal import Store

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd account`
struct AccountCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "account",
        abstract: "Make, change and list the accounts of callers and of the relay's clients.",
        discussion: """
            They are kept in the state directory (confd.sqlite), and 'confd serve' sees a change within seconds \
            ([Database] cache_time); it need not be restarted. Passwords are asked for on a terminal, without echo, or \
            read as one line from standard input. Only their hashes are stored.
            Exit status: 0 done, 1 not.
            """,
        subcommands: [Add.self, List.self, Remove.self, Passwd.self, AccountAliasCommand.self])

    struct Add: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Make an account.",
            discussion: """
                  confd account add alice@example.com
                  echo 'the password' | confd account add alice@example.com
                """)

        @OptionGroup var account: AccountArgument
        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            try await AccountDesk.work(options) { (desk) throws(StoreError) in
                let name = try AccountName(account.text)
                let database = try await desk.open(making: true)
                // Not to ask for a password in vain; `add` itself decides.
                if try await database.contains(name) {
                    throw StoreError("\(name) exists already; 'confd account passwd \(name)' changes its password")
                }
                let password = try AccountPassword.ask(for: name)
                try await database.add(name, password: password)
                await database.close()
                desk.hint()
            }
        }
    }

    struct Passwd: AsyncParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Change an account's password.")

        @OptionGroup var account: AccountArgument
        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            try await AccountDesk.work(options) { (desk) throws(StoreError) in
                let name = try AccountName(account.text)
                let database = try await desk.open(making: false)
                guard try await database.contains(name) else {
                    throw StoreError("there is no account \(name); 'confd account add \(name)' makes it")
                }
                let password = try AccountPassword.ask(for: name)
                try await database.setPassword(name, password: password)
                await database.close()
            }
        }
    }

    struct Remove: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Remove an account.", discussion: "Sessions it has already live on until they end.")

        @OptionGroup var account: AccountArgument
        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            try await AccountDesk.work(options) { (desk) throws(StoreError) in
                let name = try AccountName(account.text)
                let database = try await desk.open(making: false)
                try await database.remove(name)
                await database.close()
            }
        }
    }

    struct List: AsyncParsableCommand {
        static let configuration = CommandConfiguration(
            abstract: "Print the accounts, user@domain, one a line.")

        @Flag(help: "Print them as JSON: an array of objects with account, username and domain.")
        var json = false

        @OptionGroup var options: ConfigurationOptions

        func run() async throws {
            try await AccountDesk.work(options) { (desk) throws(StoreError) in
                // Looking makes no file.
                let accounts = desk.exists ? try await desk.open(making: false).accounts() : []
                StandardOutput.write(json ? AccountDesk.json(accounts) : accounts.map { "\($0)\n" }.joined())
            }
        }
    }
}

/// The account that a command is about.
struct AccountArgument: ParsableArguments {
    @Argument(help: ArgumentHelp("The account, such as alice@example.com.", valueName: "user@domain"))
    var text: String
}
