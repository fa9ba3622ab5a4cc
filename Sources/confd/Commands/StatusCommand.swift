internal import ArgumentParser
internal import FoundationEssentials

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd status`
struct StatusCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "status",
        abstract: "Tell what the running server does: sessions, bytes, outcomes, refusals.",
        discussion: """
            Asks the server on this machine that has the same configuration, through a socket in its state directory.
            Exit status: 0 it runs and answered, 1 it can't be asked, 3 it does not run.
            """)

    /// As the service managers of Linux have it.
    static let notRunning = ExitCode(3)

    @Flag(help: "Print one line of JSON: version, pid, uptimeSeconds, listeners, transport, sip, rooms, relay.")
    var json = false

    @OptionGroup var options: ConfigurationOptions

    func run() throws {
        signal(SIGPIPE, SIG_IGN)
        let loaded = options.load()
        // The server runs, or not, whatever became of its configuration since.
        let problems = loaded.problems.filter { $0.section == nil || $0.key == "state_directory" }
        guard problems.isEmpty else {
            for problem in problems { StandardError.write("confd status: \(problem)") }
            throw ExitCode(1)
        }
        let folder = loaded.settings.conference.stateDirectory ?? StateDirectory.standard
        let path = ControlSocket.path(stateDirectory: folder)
        let answer: [UInt8]
        do throws(ControlQuestion.Failure) {
            answer = try ControlQuestion.ask(path)
        } catch {
            switch error {
            case .notRunning:
                StandardError.write(
                    "confd status: confd is not running (nobody answers at '\(path)'); a server with another "
                        + "configuration is found with its --config-file")
                throw Self.notRunning
            case .other(let reason):
                StandardError.write("confd status: \(reason)")
                throw ExitCode(1)
            }
        }
        try show(answer)
    }

    private func show(_ line: [UInt8]) throws {
        let decoder = JSONDecoder()
        guard let answer = try? decoder.decode(ControlMessage.Answer.self, from: Data(line)) else {
            StandardError.write(
                "confd status: the server's answer is not understood; is it of another version than this program?")
            throw ExitCode(1)
        }
        guard let status = answer.status else {
            StandardError.write("confd status: \(answer.error ?? "the server has no answer")")
            throw ExitCode(1)
        }
        guard json else { return StandardOutput.write(StatusText.text(status)) }
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        StandardOutput.write(String(decoding: try encoder.encode(status), as: UTF8.self) + "\n")
    }
}
