internal import ArgumentParser

/// `confd check-config`
struct CheckConfig: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Tell every problem of the configuration, and what would be right.",
        discussion: """
            Prints a line for each problem: file, line, section, option, and what would be right. With a [Relay] \
            section, lines that start with 'note:' tell what its operator should know, above all where confd differs \
            from msrprelay; they are no problems. Exit status 0: no problems, 1: some.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print a configuration file with every option, its meaning and its default, and leave.")
    var sample = false

    func run() async throws {
        if sample {
            print(SampleConfiguration.text, terminator: "")
            return
        }
        let loaded = options.load()
        var problems = loaded.problems.map(\.description)
        if problems.isEmpty, let problem = await databaseProblem(loaded) { problems.append(problem) }
        for problem in problems { print(problem) }
        if problems.isEmpty {
            for note in ConfigurationNotes(loaded.settings, loaded.source).lines { print(note) }
        }
        let name = loaded.path ?? "no configuration file, every option has its default"
        guard problems.isEmpty else {
            print("\(name): \(problems.count) problem\(problems.count == 1 ? "" : "s")")
            throw ExitCode(1)
        }
        print("\(name): no problems")
    }

    /// What opening a configured database gives; the embedded one is made when the server starts.
    private func databaseProblem(_ loaded: SettingsFile.Loaded) async -> String? {
        guard loaded.settings.relay?.backend == .database, loaded.settings.database.uri != nil else { return nil }
        do throws(StartError) {
            try await Accounts.open(loaded.settings, stateDirectory: "")?.close()
            return nil
        } catch {
            return error.located(by: loaded.source)
        }
    }
}
