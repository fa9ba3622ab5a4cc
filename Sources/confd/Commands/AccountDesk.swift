internal import ArgumentParser
internal import Client
internal import Store

#if canImport(Glibc)
    internal import Glibc
#endif

/// Where the account commands find the embedded database: the state directory of the configuration.
struct AccountDesk {
    private let settings: Settings
    private let stateDirectory: String

    /// Does a command's work; what fails is said on standard error.
    static func work(
        _ options: ConfigurationOptions, _ body: (AccountDesk) async throws(StoreError) -> Void
    ) async throws {
        // A reader that goes away early must not end us in the middle of a change.
        signal(SIGPIPE, SIG_IGN)
        let loaded = options.load()
        // Other parts of the configuration may have problems: an account needs none of them.
        let problems = loaded.problems.filter { $0.section == nil || $0.key == "state_directory" }
        guard problems.isEmpty else {
            for problem in problems { StandardError.write("confd account: \(problem)") }
            throw ExitCode(1)
        }
        let settings = loaded.settings
        let desk = AccountDesk(
            settings: settings, stateDirectory: settings.conference.stateDirectory ?? StateDirectory.standard)
        do {
            try await body(desk)
        } catch {
            StandardError.write("confd account: \(error)")
            throw ExitCode(1)
        }
    }

    private var path: String { "\(stateDirectory)/\(EmbeddedDatabase.fileName)" }

    /// Whether there is a database; one that can't be seen may be there.
    var exists: Bool { access(path, F_OK) == 0 || errno != ENOENT }

    /// - Parameter making: whether it is made when it isn't there.
    func open(making: Bool) async throws(StoreError) -> EmbeddedDatabase {
        guard making || exists else {
            throw StoreError("there are no accounts yet: no '\(path)'; 'confd account add user@domain' makes it")
        }
        let folder: String
        do throws(StartError) {
            folder = try StateDirectory.prepare(stateDirectory)
        } catch {
            throw StoreError("\(error)")
        }
        return try await EmbeddedDatabase.open(stateDirectory: folder)
    }

    /// Says what keeps the server from using these accounts, if anything does.
    func hint() {
        if let obstacle { StandardError.write("confd account: note: \(obstacle)") }
    }

    private var obstacle: String? {
        switch settings.accountsBackend {
        case nil:
            return "nobody is asked for an account: the configuration has no [Relay] section, and [SIP] auth is "
                + "\(settings.sip.auth.rawValue)"
        case .memory where settings.relay == nil:
            return "the configuration has accounts in [Memory]: the server lets in those, not these"
        case .memory: return "[Relay] backend = memory: the server lets in the accounts of [Memory], not these"
        case .database: break
        }
        guard let uri = settings.database.uri else { return nil }
        if let given = try? DatabaseURI(uri), given == .sqlite(path: path) { return nil }
        return "[Database] uri names another database; the server asks that one, not '\(path)'"
    }

    /// An array in one line.
    static func json(_ accounts: [AccountName]) -> String {
        let objects = accounts.map { account in
            JSONText.object([
                ("account", JSONText.string("\(account)")), ("username", JSONText.string(account.username)),
                ("domain", JSONText.string(account.domain)),
            ])
        }
        return "[" + objects.joined(separator: ", ") + "]\n"
    }
}
