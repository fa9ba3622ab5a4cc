internal import ArgumentParser

/// `confd serve`
struct Serve: AsyncParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Run the server in the foreground.")
    @OptionGroup var options: ConfigurationOptions

    func run() async throws {
    }
}
