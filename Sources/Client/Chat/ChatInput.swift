/// What a line that the user typed asks for.
package enum ChatInput: Equatable, Sendable {
    case say(String)
    /// An empty name gives the nickname up.
    case nick(String)
    case privately(to: String, String)
    case who
    case subject(String)
    case invite(String)
    case kick(String)
    /// A file for the room.
    case send(String)
    /// A picture within the chat.
    case image(String)
    case files
    /// The file of that number, to a path of the user's or into the folder where he is.
    case get(Int, path: String?)
    /// The content of a message that is no text.
    case save(Int, path: String?)
    case cancel
    case quit
    case help
    case nothing
    /// An explanation for the user.
    case wrong(String)

    /// Reads a line. What starts with `/` is a command; `//` says a text that starts with `/`.
    package init(_ line: String) {
        var line = Substring(line)
        if line.last == "\r\n" || line.last == "\r" || line.last == "\n" { line.removeLast() }
        if line.isEmpty {
            self = .nothing
            return
        }
        guard line.first == "/" else {
            self = .say(String(line))
            return
        }
        if line.hasPrefix("//") {
            self = .say(String(line.dropFirst()))
            return
        }
        let words = line.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
        let name = words.first.map(String.init) ?? "/"
        guard let command = ChatInputCommand.all.first(where: { $0.names.contains(name) }) else {
            self = .wrong("there is no \(name); /help lists what there is, // says a text that starts with /")
            return
        }
        let rest = words.dropFirst().first.map(String.init) ?? ""
        self = command.read(rest) ?? .wrong(command.usage)
    }

    package static let helpText: String = {
        let lines =
            ChatInputCommand.all.map { (form: $0.form, text: $0.text) } + [("//text", "say a text that starts with /")]
        let width = (lines.map(\.form.count).max() ?? 0) + 2
        return lines.map { $0.form + String(repeating: " ", count: width - $0.form.count) + $0.text }
            .joined(separator: "\n")
    }()
}

/// A command of the chat: how it is called, what it does, how its line is read. `/help` and the reading go by one table.
struct ChatInputCommand: Sendable {
    /// The first one is shown.
    let names: [String]
    let arguments: String
    let text: String
    let example: String?
    /// What follows the name; nil when that can't be understood.
    let read: @Sendable (String) -> ChatInput?

    init(
        _ names: String..., arguments: String = "", text: String, example: String? = nil,
        read: @escaping @Sendable (String) -> ChatInput?
    ) {
        self.names = names
        self.arguments = arguments
        self.text = text
        self.example = example
        self.read = read
    }

    var form: String { (names.first ?? "") + (arguments.isEmpty ? "" : " \(arguments)") }

    var usage: String { "write \(form)" + (example.map { ", such as \(names.first ?? "") \($0)" } ?? "") }

    static let all = [
        ChatInputCommand(
            "/msg", arguments: "WHO text", text: "say it to one participant only: nickname, \"name\" or address",
            example: "sip:bob@example.com hello"
        ) { rest in
            guard let (who, text) = ChatWords.first(of: rest), !text.isEmpty else { return nil }
            return .privately(to: who, text)
        },
        ChatInputCommand("/nick", arguments: "NAME", text: "be shown as NAME (without a name: no longer)") {
            .nick($0.trimmedBlanks)
        },
        ChatInputCommand("/who", text: "who is in the room") { _ in .who },
        ChatInputCommand("/subject", arguments: "TEXT", text: "what the room is about (without a text: nothing)") {
            .subject($0.trimmedBlanks)
        },
        ChatInputCommand(
            "/send", arguments: "FILE", text: "put a file into the room, for everybody to get",
            example: "~/report.pdf"
        ) { ChatWords.path($0).map { .send($0) } },
        ChatInputCommand("/files", text: "the files of the room, with their numbers") { _ in .files },
        ChatInputCommand(
            "/get", arguments: "N [PATH]", text: "get file N of the room; what is here of it already is not sent again",
            example: "1"
        ) { ChatWords.number($0).map { .get($0, path: $1) } },
        ChatInputCommand(
            "/image", arguments: "FILE", text: "show a picture to the room, as a message", example: "photo.jpeg"
        ) { ChatWords.path($0).map { .image($0) } },
        ChatInputCommand(
            "/save", arguments: "N [PATH]", text: "save picture N that came as a message", example: "1"
        ) { ChatWords.number($0).map { .save($0, path: $1) } },
        ChatInputCommand("/cancel", text: "stop sending and getting files") { _ in .cancel },
        ChatInputCommand(
            "/invite", arguments: "WHO", text: "have the server ask somebody in", example: "sip:bob@example.com"
        ) { ChatWords.only($0).map { .invite($0) } },
        ChatInputCommand(
            "/kick", arguments: "WHO", text: "have the server send somebody out", example: "sip:bob@example.com"
        ) { ChatWords.only($0).map { .kick($0) } },
        ChatInputCommand("/quit", "/q", "/exit", text: "leave (the end of the input does so too)") { _ in .quit },
        ChatInputCommand("/help", "/?", text: "this list") { _ in .help },
    ]
}

/// The words behind a command.
enum ChatWords {
    /// The first word, or what stands in double quotes, and all behind it.
    static func first(of text: String) -> (word: String, rest: String)? {
        let text = text.drop { $0 == " " || $0 == "\t" }
        let word: Substring
        var rest: Substring
        if text.first == "\"", let end = text.dropFirst().firstIndex(of: "\"") {
            word = text[text.index(after: text.startIndex)..<end]
            rest = text[text.index(after: end)...]
        } else {
            word = text.prefix { $0 != " " && $0 != "\t" }
            rest = text[word.endIndex...]
        }
        while let first = rest.first, first == " " || first == "\t" { rest = rest.dropFirst() }
        return word.isEmpty ? nil : (String(word), String(rest))
    }

    /// One word, or one in quotes, and nothing else.
    static func only(_ text: String) -> String? {
        guard let (word, rest) = first(of: text.trimmedBlanks), rest.isEmpty else { return nil }
        return word
    }

    /// A path: all of the line, blanks within it too; quotes around it are not part of it.
    static func path(_ text: String) -> String? {
        let text = text.trimmedBlanks
        for quote in ["\"", "'"] where text.count > 2 && text.hasPrefix(quote) && text.hasSuffix(quote) {
            return String(text.dropFirst().dropLast())
        }
        return text.isEmpty ? nil : text
    }

    static func number(_ text: String) -> (Int, path: String?)? {
        guard let (word, rest) = first(of: text), let number = Int(word), number > 0 else { return nil }
        return (number, path(rest))
    }
}
