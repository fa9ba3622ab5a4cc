internal import ArgumentParser
internal import Client
internal import Logging
internal import SIP

/// `confd probe`
struct ProbeCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "probe",
        abstract: "Ask a SIP address whether it is a conference, and what it can do.",
        discussion: """
            Sends OPTIONS and prints what the answer says, with its round-trip time.
            Exit status: 0 a conference focus, 1 an answer that says otherwise, 2 no answer.
            """)

    @Argument(help: ArgumentHelp("What to ask, such as sip:lobby@127.0.0.1:5060.", valueName: "sip:room@host[:port]"))
    var address: String

    @OptionGroup var way: WayOptions

    @Flag(help: "Print one line of JSON: uri, focus, status, phrase, rtt_ms, address, contact, server, methods, ...")
    var json = false

    @ArgumentParser.Option(help: ArgumentHelp("How long to wait for the answer.", valueName: "seconds"))
    var timeout: Double = 5

    func validate() throws {
        guard timeout > 0, timeout <= 3600 else { throw ValidationError("--timeout: 0.001 to 3600 seconds") }
    }

    func run() async throws {
        let result: ProbeResult
        do throws(ClientError) {
            let peer = try await Peer.find(address, transport: way.transport?.value)
            result = try await Probe.run(
                peer, timeout: .milliseconds(Int64(timeout * 1000)), logger: way.logger(label: "probe"))
        } catch {
            StandardError.write("confd probe: \(error)")
            if case .usage = error { throw ExitCode.validationFailure }
            throw ExitCode(2)
        }
        print(json ? result.json : result.text)
        if !result.isFocus { throw ExitCode(1) }
    }
}
