internal import ArgumentParser
internal import Client
internal import Synchronization
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd relay-receive`
struct RelayReceiveCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "relay-receive",
        abstract: "Receive a file through an MSRP relay.",
        discussion: """
            Reserves a URI at the relay of your domain (found by the SRV record _msrps._tcp.DOMAIN, unless --relay names \
            one) and prints, as one line, the path to give to the sender:

              confd relay-receive --as bob@example.com --dir Downloads
              confd send-file photo.jpeg 'msrps://relay.example.com:2855/...;tcp msrps://...;tcp'

            The file is NAME.part until it is complete, and is never written over another. When a session ends too early, \
            a new path is printed, and the sender goes on where the part ends. Standard output has only the paths and, \
            for each file that came, '<SHA-256>  <file>' as sha256sum writes it; --json prints one object a line \
            instead: event (ready, began, interrupted, received), path, file, size, resumed_at, sha256, ...

            Exit status: 0 all came, 1 the relay refused, 2 no relay found or no answer, 3 the relay was lost, 130 \
            interrupted.
            """)

    @ArgumentParser.Option(
        name: .customLong("as"), help: ArgumentHelp("Who you are at the relay.", valueName: "user@domain"))
    var identity: String

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "The relay (port 2855 if none is given). Once more for each further relay behind it: senders then come "
                + "through the last one.", valueName: "host:port"))
    var relay: [String] = []

    @ArgumentParser.Option(help: ArgumentHelp("The folder for what comes.", valueName: "folder"))
    var dir = "."

    @ArgumentParser.Option(help: ArgumentHelp("How many files to wait for.", valueName: "files"))
    var count = 1

    @ArgumentParser.Option(
        help: ArgumentHelp("Tell the sender of a larger file to stop.", valueName: "bytes"))
    var maxSize: UInt64?

    @ArgumentParser.Option(
        help: ArgumentHelp("Ask the relay for URIs that are valid for so long.", valueName: "seconds"))
    var expires: Int?

    @OptionGroup var password: PasswordArguments
    @OptionGroup var link: LinkArguments

    @Flag(help: "Print events as JSON, one object a line.")
    var json = false

    func validate() throws {
        guard count >= 1 else { throw ValidationError("--count: 1 or more") }
        if let expires, expires < 0 { throw ValidationError("--expires: seconds, 0 or more") }
    }

    func run() async throws {
        signal(SIGPIPE, SIG_IGN)
        do throws(ClientError) {
            try await receive()
        } catch {
            StandardError.write("confd relay-receive: \(error)")
            throw ChatCommand.exitCode(for: error)
        }
    }

    private func receive() async throws(ClientError) {
        let user = try RelayArguments.user(identity, option: "--as")
        let relays = try RelayArguments.addresses(relay)
        var status = stat()
        guard stat(dir, &status) == 0, status.st_mode & S_IFMT == S_IFDIR, access(dir, W_OK) == 0 else {
            throw .usage("--dir \(dir) is no folder that files can be written to")
        }
        let options = RelayOptions(
            user: user, password: try password.password(of: user), relays: relays, security: link.security,
            expires: expires)
        let display = TransferDisplay()
        let reporter = ReceptionReporter(json: json, display: display)
        let receiver = RelayReceiver(
            options: options, folder: dir, count: count, largest: maxSize ?? .max,
            logger: link.logger(label: "relay-receive")
        ) { reporter.show($0) }
        let signals = Interruption.watch { receiver.stop() }
        defer { signals.cancel() }
        let outcome: RelayReceiver.Outcome
        do throws(ClientError) {
            outcome = try await receiver.run()
        } catch {
            display.end()
            throw error
        }
        display.end()
        if outcome == .stopped { _exit(130) }
    }
}

/// Words for what happens to a receiver.
private final class ReceptionReporter: Sendable {
    private let json: Bool
    private let display: TransferDisplay
    private let time = Mutex(TransferTime())

    init(json: Bool, display: TransferDisplay) {
        self.json = json
        self.display = display
    }

    func show(_ news: RelayReceiver.News) {
        switch news {
        case .ready(let path):
            display.end()
            if json {
                object([("event", JSONText.string("ready")), ("path", JSONText.string(path))])
            } else {
                if isatty(STDOUT_FILENO) == 1 { display.notice("waiting for: confd send-file FILE '...' with") }
                StandardOutput.write(path + "\n")
            }
        case .began(let name, let total, let offset):
            time.withLock { $0 = TransferTime() }
            if offset > 0 { display.notice("\(name): going on at \(offset) bytes") }
            if json {
                object([
                    ("event", JSONText.string("began")), ("name", JSONText.string(name)),
                    ("size", total.map { "\($0)" } ?? "null"), ("resumed_at", "\(offset)"),
                ])
            }
            display.begin(name: name, total: total, start: offset)
        case .progress(let length):
            display.update(length)
        case .stored(let path, let size, let offset, let sha256):
            display.end()
            let time = time.withLock { $0 }
            display.notice("received \(path): \(time.text(size - min(offset, size)))")
            if json {
                object([
                    ("event", JSONText.string("received")), ("file", JSONText.string(path)), ("size", "\(size)"),
                    ("resumed_at", "\(offset)"), ("milliseconds", "\(time.milliseconds)"),
                    ("sha256", JSONText.string(sha256)),
                ])
            } else {
                StandardOutput.write("\(sha256)  \(path)\n")
            }
        case .interrupted(let reason, let part, let length, let total):
            display.end()
            let size = total.map { " of \($0)" } ?? ""
            display.notice(
                "\(reason); \(length)\(size) bytes are kept in \(part). With relay-receive in the same folder, the "
                    + "sender goes on from there")
            if json {
                object([
                    ("event", JSONText.string("interrupted")), ("reason", JSONText.string(reason)),
                    ("part", JSONText.string(part)), ("received", "\(length)"),
                    ("size", total.map { "\($0)" } ?? "null"),
                ])
            }
        case .retrying(let reason):
            display.end()
            display.notice("\(reason); asking the relay for a new path")
        }
    }

    private func object(_ members: [(name: String, value: String)]) {
        StandardOutput.write(JSONText.object(members) + "\n")
    }
}

/// Ctrl-C: the first one ends a command in an orderly way, the second at once.
enum Interruption {
    static func watch(_ stop: @escaping @Sendable () -> Void) -> Task<Void, Never> {
        Task {
            var isSecond = false
            for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                if isSecond { _exit(130) }
                isSecond = true
                stop()
            }
        }
    }
}
