internal import ArgumentParser
internal import FoundationEssentials
internal import Payloads
internal import Store

#if canImport(Glibc)
    internal import Glibc
#endif

/// `confd room policy`
struct RoomPolicyCommand: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "policy",
        abstract: "Print or change who, beside those inside, may see who is in a room (RFC 5025).",
        discussion: """
              confd room policy lobby@example.com                                   prints the rules
              confd room policy lobby@example.com allow alice@example.com '*@example.org'
              confd room policy lobby@example.com block eve@example.org
              confd room policy lobby@example.com allow everyone                    starts anew
              confd room policy lobby@example.com show --xml > rules.xml
              confd room policy lobby@example.com edit rules.xml                    '-' reads standard input
              confd room policy lobby@example.com reset                             no document: only those inside
            What happens to a subscription: allow, block (refused), polite-block (gets an empty roster), confirm (waits). \
            It counts in rooms with 'subscribe = policy', which is the default.
            """)

    enum Action: String, CaseIterable, ExpressibleByArgument {
        case show, allow, block
        case politeBlock = "polite-block"
        case confirm, reset, edit
    }

    @OptionGroup var room: RoomArgument

    @Argument(help: "show, allow, block, polite-block, confirm, reset or edit.")
    var action: Action = .show

    @Argument(
        help: ArgumentHelp(
            "Whom it is about: user@domain, *@domain or everyone. Of edit: the file with the document.",
            valueName: "who"))
    var people: [String] = []

    @Flag(help: "Print the document itself.")
    var xml = false

    @OptionGroup var output: RoomOutputOptions

    func run() async throws {
        try await RoomDesk.work(output) { (desk) throws(RoomFailure) in
            let order = try order()
            let room = try room.address()
            let document = try await desk.perform(.policy(room, order)).policy ?? ""
            guard order == .show || output.json || xml else { return }
            if xml, !output.json {
                return StandardOutput.write(document.isEmpty || document.hasSuffix("\n") ? document : document + "\n")
            }
            let rules = document.isEmpty ? nil : try RoomPolicyOrder.read(Array(document.utf8))
            desk.print(
                text: RoomText.policy(rules), json: RoomJSON.policy(room, rules, document: xml ? document : nil))
        }
    }

    private func order() throws(RoomFailure) -> RoomPolicyOrder {
        switch action {
        case .show, .reset:
            guard people.isEmpty else { throw RoomFailure("'\(action.rawValue)' is about the room, not about people") }
            return action == .show ? .show : .reset
        case .edit:
            guard people.count == 1 else { throw RoomFailure("name the one file with the document, or '-'") }
            return .replace(try Self.read(people[0]))
        case .allow, .block, .politeBlock, .confirm:
            guard !people.isEmpty else { throw RoomFailure("say who: user@domain, *@domain or everyone") }
            var meant: [RoomPolicyPerson] = []
            for text in people { meant.append(try Self.person(text)) }
            return .rule(handling: action.rawValue, meant)
        }
    }

    private static func person(_ text: String) throws(RoomFailure) -> RoomPolicyPerson {
        if text == "everyone" { return .everyone }
        let name = try RoomNames.accountOrDomain(text)
        return name.hasPrefix("*@") ? .domain(String(name.dropFirst(2))) : .account(name)
    }

    private static func read(_ path: String) throws(RoomFailure) -> Data {
        let descriptor = path == "-" ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw RoomFailure("'\(path)' can't be read: \(String(cString: strerror(errno)))") }
        defer { if descriptor != STDIN_FILENO { close(descriptor) } }
        var bytes: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 64 << 10)
        while true {
            let count = Glibc.read(descriptor, &buffer, buffer.count)
            if count == 0 { return Data(bytes) }
            guard count > 0 else {
                if errno == EINTR { continue }
                throw RoomFailure("'\(path)' can't be read: \(String(cString: strerror(errno)))")
            }
            bytes += buffer[..<count]
            guard bytes.count <= EmbeddedDatabase.largestPolicy else {
                throw RoomFailure("'\(path)' is too large: at most \(EmbeddedDatabase.largestPolicy) bytes")
            }
        }
    }
}
