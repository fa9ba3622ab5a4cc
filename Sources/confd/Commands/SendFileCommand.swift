internal import ArgumentParser
internal import Client

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd send-file`
struct SendFileCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "send-file",
        abstract: "Send a file to a path that 'confd relay-receive' printed.",
        discussion: """
            Connects to the first URI of the path; with --as, through your own relay (found by the SRV record \
            _msrps._tcp.DOMAIN, unless --relay names one). Where the receiver has the beginning of the file already, only \
            the rest is sent. When the receiver has confirmed all of it, '<SHA-256>  <file>' is printed as sha256sum \
            writes it, or with --json one object: event (sent), file, size, resumed_at, sha256, ...

              confd send-file photo.jpeg 'msrps://relay.example.com:2855/...;tcp msrps://...;tcp'

            Exit status: 0 the receiver has it, 1 refused, 2 nobody there, 3 lost on the way (send it again to go on), \
            130 interrupted.
            """)

    @Argument(help: ArgumentHelp("The file.", valueName: "file"))
    var file: String

    @Argument(help: ArgumentHelp("The whole line that the receiver printed, in quotes.", valueName: "path"))
    var path: [String]

    @ArgumentParser.Option(
        name: .customLong("as"),
        help: ArgumentHelp("Send through your own relay, as this user of it.", valueName: "user@domain"))
    var identity: String?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Your relay (port 2855 if none is given); once more for each further relay behind it. Needs --as.",
            valueName: "host:port"))
    var relay: [String] = []

    @ArgumentParser.Option(
        help: ArgumentHelp("What the file is, for receivers that look at it.", valueName: "type/subtype"))
    var contentType = "application/octet-stream"

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Send in chunks of this size rather than 64 KiB, where a relay on the way takes only small ones.",
            valueName: "bytes"))
    var chunkSize: Int?

    @OptionGroup var password: PasswordArguments
    @OptionGroup var link: LinkArguments

    @Flag(help: "Print the outcome as a JSON object.")
    var json = false

    func validate() throws {
        if identity == nil, !relay.isEmpty { throw ValidationError("--relay needs --as user@domain") }
        if let chunkSize, !(2048...(16 << 20)).contains(chunkSize) {
            throw ValidationError("--chunk-size: 2048 to 16777216 bytes (RFC 4975 section 7.1.1)")
        }
        let parts = contentType.split(separator: "/", omittingEmptySubsequences: false)
        guard parts.count == 2, parts.allSatisfy({ !$0.isEmpty }),
            contentType.allSatisfy({ $0.isASCII && !$0.isNewline })
        else { throw ValidationError("--content-type: type/subtype, such as image/jpeg") }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        do throws(ClientError) {
            try await send()
        } catch {
            StandardError.write("confd send-file: \(error)")
            throw ChatCommand.exitCode(for: error)
        }
    }

    private func send() async throws(ClientError) {
        let source: SourceFile
        do throws(FileError) {
            source = try SourceFile(path: file)
        } catch {
            throw .usage("\(error)")
        }
        var options: RelayOptions?
        if let identity {
            let user = try RelayArguments.user(identity, option: "--as")
            options = RelayOptions(
                user: user, password: try password.password(of: user), relays: try RelayArguments.addresses(relay),
                security: link.security)
        }
        let display = TransferDisplay()
        let transmission = try FileTransmission(
            file: source, path: path.joined(separator: " "), contentType: contentType, chunkSize: chunkSize,
            relay: options,
            security: link.security, logger: link.logger(label: "send-file")
        ) { news in
            switch news {
            case .began(let offset):
                if offset > 0 { display.notice("the receiver has \(offset) bytes already; sending the rest") }
                display.begin(name: source.name, total: source.size, start: offset)
            case .progress(let count):
                display.update(count)
            }
        }
        let signals = Interruption.watch { transmission.stop() }
        defer { signals.cancel() }
        let time = TransferTime()
        let outcome: FileTransmission.Outcome
        do throws(ClientError) {
            outcome = try await transmission.run()
        } catch {
            display.end()
            throw error
        }
        display.end()
        switch outcome {
        case .arrived(let sha256, let offset):
            display.notice("sent \(file): \(time.text(source.size - min(offset, source.size)))")
            guard json else { return StandardOutput.write("\(sha256)  \(file)\n") }
            let members: [(name: String, value: String)] = [
                ("event", JSONText.string("sent")), ("file", JSONText.string(file)), ("size", "\(source.size)"),
                ("resumed_at", "\(offset)"), ("milliseconds", "\(time.milliseconds)"),
                ("sha256", JSONText.string(sha256)),
            ]
            StandardOutput.write(JSONText.object(members) + "\n")
        case .stopped(let confirmed):
            display.notice(
                "stopped; the receiver confirmed \(confirmed) of \(source.size) bytes. Send the file again to the path "
                    + "that it prints next: it goes on where it ended")
            _exit(130)
        }
    }
}
