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
        let rest = words.dropFirst().first.map(String.init) ?? ""
        switch words.first {
        case "/nick": self = .nick(rest.trimmedBlanks)
        case "/who": self = .who
        case "/subject": self = .subject(rest.trimmedBlanks)
        case "/invite", "/kick":
            let who = rest.trimmedBlanks
            let command = words.first.map(String.init) ?? ""
            guard !who.isEmpty, !who.contains(" ") else {
                self = .wrong("write \(command) WHO, such as \(command) sip:bob@example.com")
                return
            }
            self = command == "/kick" ? .kick(who) : .invite(who)
        case "/quit", "/q", "/exit": self = .quit
        case "/help", "/?": self = .help
        case "/msg":
            let parts = rest.split(separator: " ", maxSplits: 1, omittingEmptySubsequences: true)
            guard parts.count == 2 else {
                self = .wrong("write /msg WHO text, such as /msg sip:bob@example.com hello")
                return
            }
            self = .privately(to: String(parts[0]), String(parts[1]))
        case let command:
            self = .wrong("there is no \(command ?? "/"); /help lists what there is, // says a text that starts with /")
        }
    }

    package static let helpText = """
        /nick NAME      be shown as NAME (without a name: no longer)
        /msg WHO text   say it to one participant only (a SIP address, or its user part)
        /who            who is in the room
        /subject TEXT   what the room is about (without a text: nothing)
        /invite WHO     have the server ask somebody in
        /kick WHO       have the server send somebody out
        /quit           leave (the end of the input does so too)
        //text          say a text that starts with /
        """
}
