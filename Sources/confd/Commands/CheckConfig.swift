internal import ArgumentParser

/// `confd check-config`
struct CheckConfig: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "check-config",
        abstract: "Tell every problem of the configuration, and what would be right.",
        discussion: """
            Prints a line for each problem: file, line, section, option, and what would be right. \
            Exit status 0: no problems, 1: some.
            """)

    @OptionGroup var options: ConfigurationOptions

    @Flag(help: "Print a configuration file with every option, its meaning and its default, and leave.")
    var sample = false

    func run() throws {
        if sample {
            print(SampleConfiguration.text, terminator: "")
            return
        }
        let loaded = options.load()
        for problem in loaded.problems { print(problem) }
        let name = loaded.path ?? "no configuration file, every option has its default"
        if loaded.problems.isEmpty {
            print("\(name): no problems")
        } else {
            print("\(name): \(loaded.problems.count) problem\(loaded.problems.count == 1 ? "" : "s")")
            throw ExitCode(1)
        }
    }
}
