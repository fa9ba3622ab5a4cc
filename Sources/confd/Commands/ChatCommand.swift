internal import ArgumentParser
internal import Client
internal import Logging
internal import Payloads
internal import SIP
internal import Synchronization
internal import UnixSignals

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd chat`
struct ChatCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Chat in a room from the terminal, or from a pipe.",
        discussion: """
            Calls the room, prints what others say and sends each line of standard input. Lines that start with / are \
            commands; /help lists them.

            On a terminal a message is shown as 'time name: text'; what was said before you came has its date. Elsewhere, \
            for tools, as '[sip:who@host] text' with a tab before each further line of the text; --json prints one object \
            a line: kind (message, content; room, file, files, participants), from, name, private, replayed, time, type, \
            size, save, text. What happens beside messages goes to standard error, after '* '.

            /send FILE puts a file into the room, /files lists those that are there, /get N gets one: into the folder you \
            are in unless you say where, under a name that nobody has, and checked by its hash. What is there of it \
            from an earlier try (NAME.HASH.part) is not sent again.

            When the input ends, the client waits until all is acknowledged and all files are through, leaves with BYE, \
            and exits; --wait and --exit-after make it stay to hear the others.

            Exit status: 0 all went well, 1 the server refused, 2 no answer, 3 the call or its connection was lost, \
            4 messages were not delivered, files not sent or not got, or fewer messages came than --exit-after wanted.

            Examples:
              confd chat sip:lobby@127.0.0.1 --as sip:alice@127.0.0.1
              echo hello | confd chat sip:lobby@127.0.0.1 --as sip:bob@127.0.0.1 --transport tcp
              confd chat sip:lobby@127.0.0.1 --as sip:carol@127.0.0.1 --exit-after 10 --wait 60 < /dev/null
              echo /send report.pdf | confd chat sip:lobby@127.0.0.1 --as sip:bob@127.0.0.1
              confd chat sip:conference@127.0.0.1 --as sip:alice@127.0.0.1 --invite bob --invite sip:carol@127.0.0.1
            """)

    @Argument(help: ArgumentHelp("The room, such as sip:lobby@127.0.0.1:5060.", valueName: "sip:room@host[:port]"))
    var room: String

    @ArgumentParser.Option(name: .customLong("as"), help: ArgumentHelp("Who you are.", valueName: "sip:you@host"))
    var identity: String

    @ArgumentParser.Option(help: ArgumentHelp("The name to be shown as.", valueName: "name"))
    var nick: String?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "The name of your account, where it is not the user part of --as: an alias may be called by another name.",
            valueName: "name"))
    var user: String?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "For servers that ask for one; CONFD_PASSWORD in the environment does the same and is not seen by others.",
            valueName: "password"))
    var password: String?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Messages go through this MSRP relay of yours (port 2855 if none is given), over TLS unless --no-tls is given. "
                + "Once more for each further relay behind it.", valueName: "host:port"))
    var relay: [String] = []

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Who you are at the relay; without it as --as says. The password is the same.", valueName: "user@domain"))
    var relayUser: String?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Trust the authorities in this PEM file for the relay's certificate, rather than the system's.",
            valueName: "file"))
    var trust: String?

    @Flag(help: "Take any certificate of the relay.")
    var noVerify = false

    @Flag(help: "Have the room connect to the relay, rather than the relay to the room.")
    var passive = false

    @OptionGroup var way: WayOptions

    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "Carry the messages over TLS (TCP/TLS/MSRP) or not (TCP/MSRP).",
            discussion: "Without either they go over TLS to a relay, which takes passwords no other way, else plain."))
    var tls: Bool?

    @Flag(help: "Offer text/plain alone, like clients that know nothing of chat rooms.")
    var plainText = false

    @Flag(
        inversion: .prefixedNo,
        help: ArgumentHelp(
            "Let the others see that you are typing, and see that they are.",
            discussion: "Done by default on a terminal; elsewhere nobody types."))
    var typing: Bool = true

    @Flag(help: "Print messages as JSON, one object a line.")
    var json = false

    @Flag(name: .shortAndLong, help: "Say nothing but messages and errors.")
    var quiet = false

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Have the server invite somebody along with the call; once for each.", valueName: "sip:who@host"))
    var invite: [String] = []

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Have the server invite all in this file: a resource list (RFC 4826), or an address a line.",
            valueName: "file"))
    var list: String?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "After the input has ended, stay until that many messages of others have come in all.",
            valueName: "messages"))
    var exitAfter: Int?

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "After the input has ended, stay that long; with --exit-after, at most that long.", valueName: "seconds"))
    var wait: Double?

    @ArgumentParser.Option(help: ArgumentHelp("How long the call may take to be answered.", valueName: "seconds"))
    var timeout: Double = 32

    @ArgumentParser.Option(
        help: ArgumentHelp("Cut messages longer than this into chunks of this size.", valueName: "bytes"))
    var chunkSize: Int?

    func validate() throws {
        if let exitAfter, exitAfter < 0 { throw ValidationError("--exit-after: a number of messages, 0 or more") }
        if let wait, !(0...1_000_000).contains(wait) { throw ValidationError("--wait: seconds, 0 or more") }
        guard (0.001...3600).contains(timeout) else { throw ValidationError("--timeout: 0.001 to 3600 seconds") }
        if relay.isEmpty, relayUser == nil, passive { throw ValidationError("--passive needs --relay or --relay-user") }
        if let chunkSize, chunkSize < 2048 {
            throw ValidationError("--chunk-size: 2048 bytes or more (RFC 4975 section 7.1.1)")
        }
    }

    func run() async throws {
        // A reader that goes away early (head -1) must not end us before our BYE.
        signal(SIGPIPE, SIG_IGN)
        let outcome: ChatOutcome
        do throws(ClientError) {
            outcome = try await chat(await options())
        } catch {
            StandardError.write("confd chat: \(error)")
            throw Self.exitCode(for: error)
        }
        switch outcome {
        case .complete: return
        case .undelivered(let count):
            StandardError.write("confd chat: \(count) message\(count == 1 ? " was" : "s were") not delivered")
        case .untransferred(let count):
            StandardError.write("confd chat: \(count) file\(count == 1 ? " was" : "s were") not sent or got")
        case .incomplete(let received):
            StandardError.write("confd chat: only \(received) of \(exitAfter ?? 0) messages came")
        }
        throw ExitCode(4)
    }

    static func exitCode(for error: ClientError) -> ExitCode {
        switch error {
        case .usage: ExitCode.validationFailure
        case .refused, .denied, .unusableAnswer: ExitCode(1)
        case .noAnswer: ExitCode(2)
        case .lost: ExitCode(3)
        }
    }

    private func options() async throws(ClientError) -> ChatOptions {
        guard let me = SIPURI(identity.contains(":") ? identity : "sip:\(identity)"), me.isSIP, me.user != nil else {
            throw .usage("--as '\(identity)' is not a SIP address with a user part, such as sip:alice@127.0.0.1")
        }
        let peer = try await Peer.find(room, transport: way.transport?.value)
        guard peer.uri.user != nil else { throw .usage("'\(room)' names no room; write sip:room@host") }
        var options = ChatOptions(peer: peer, identity: me)
        options.nickname = nick
        options.username = user
        options.showsTyping = typing && isatty(STDOUT_FILENO) == 1 && !json
        options.password = password ?? getenv("CONFD_PASSWORD").map { String(cString: $0) }
        options.usesTLS = usesTLS
        options.isPassive = passive
        if !relay.isEmpty || relayUser != nil { options.relay = try relayOptions(me) }
        options.plainText = plainText
        options.isQuiet = quiet
        options.exitAfter = exitAfter
        options.wait = wait.map { .milliseconds(Int64($0 * 1000)) }
        options.timeout = .milliseconds(Int64(timeout * 1000))
        options.chunkSize = chunkSize
        options.invitees = try InvitationList.make(
            addresses: invite, file: try list.map(Self.contents), domain: me.host)
        return options
    }

    /// The largest file that is read as a list of people.
    private static let largestList = 256 << 10

    private static func contents(of path: String) throws(ClientError) -> [UInt8] {
        guard let file = fopen(path, "re") else { throw .usage("--list \(path): \(String(cString: strerror(errno)))") }
        defer { fclose(file) }
        var octets = [UInt8](repeating: 0, count: largestList + 1)
        octets.removeLast(octets.count - fread(&octets, 1, octets.count, file))
        guard ferror(file) == 0 else { throw .usage("--list \(path) can't be read") }
        guard octets.count <= largestList else { throw .usage("--list \(path): more than \(largestList >> 10) KiB") }
        return octets
    }

    private var usesTLS: Bool { tls ?? (!relay.isEmpty || relayUser != nil) }

    /// Without --relay, but with --relay-user, the relay of that user's domain.
    private func relayOptions(_ me: SIPURI) throws(ClientError) -> RelayOptions {
        let user = try RelayArguments.user(relayUser ?? "\(me.user ?? "")@\(me.host)", option: "--relay-user")
        guard let password = password ?? getenv("CONFD_PASSWORD").map({ String(cString: $0) }) else {
            throw .usage("the relay wants a password for \(user): give --password, or set CONFD_PASSWORD")
        }
        return RelayOptions(
            user: user, password: password, relays: try RelayArguments.addresses(relay),
            security: LinkSecurity(usesTLS: usesTLS, verifies: !noVerify, trustFile: trust))
    }

    private func chat(_ options: ChatOptions) async throws(ClientError) -> ChatOutcome {
        let isTerminal = isatty(STDOUT_FILENO) == 1
        let session = ChatSessionBox()
        let terminal = isTerminal && !json ? ChatTerminal(typed: { session.client?.typed(isEmpty: $0) }) : nil
        let input = LineReader(descriptor: STDIN_FILENO)
        let console = ChatConsole(
            nextLine: { if let terminal, terminal.hasInput { await terminal.next() } else { await input.next() } },
            output: { if let terminal { terminal.write($0) } else { StandardOutput.write($0) } },
            notice: { if let terminal { terminal.notice($0) } else { StandardError.write("* \($0)") } },
            status: { terminal?.show($0) }, clock: Clock.now, moment: Clock.moment)
        let client = ChatClient(
            options: options, printer: ChatPrinter(style: json ? .json : isTerminal ? .terminal : .lines),
            console: console, logger: way.logger(label: "chat"))
        session.client = client
        terminal?.open()
        defer { terminal?.close() }
        let signals = Task {
            var isSecond = false
            for await _ in await UnixSignalsSequence(trapping: .sigint, .sigterm) {
                if isSecond {
                    terminal?.close()
                    _exit(130)
                }
                isSecond = true
                client.leave()
            }
        }
        defer { signals.cancel() }
        if isTerminal, !quiet { console.notice("calling \(options.peer.target); /help lists the commands") }
        return try await client.run()
    }
}

/// The client, for the terminal, which is there before it.
private final class ChatSessionBox: Sendable {
    private let box = Mutex<ChatClient?>(nil)
    var client: ChatClient? {
        get { box.withLock { $0 } }
        set { box.withLock { $0 = newValue } }
    }
}

/// The wall clock.
enum Clock {
    /// The local time of day, and the moment in UTC as RFC 3339 has it.
    @Sendable static func now() -> (display: String, dateTime: String) {
        var now = timespec()
        clock_gettime(CLOCK_REALTIME, &now)
        return (
            time(of: local(now.tv_sec)),
            InternetDateTime.format(seconds: Int64(now.tv_sec), milliseconds: now.tv_nsec / 1_000_000)
        )
    }

    /// A moment in seconds since 1970 as local date and time.
    @Sendable static func moment(_ seconds: Int64) -> String {
        let local = local(time_t(seconds))
        return "\(Int(local.tm_year) + 1900)-\(two(local.tm_mon + 1))-\(two(local.tm_mday)) \(time(of: local))"
    }

    private static func local(_ seconds: time_t) -> tm {
        var seconds = seconds
        var local = tm()
        localtime_r(&seconds, &local)
        return local
    }

    private static func time(of local: tm) -> String {
        "\(two(local.tm_hour)):\(two(local.tm_min)):\(two(local.tm_sec))"
    }

    private static func two(_ number: Int32) -> String { number < 10 ? "0\(number)" : "\(number)" }
}
