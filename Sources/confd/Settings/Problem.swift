/// Something in the configuration that keeps confd from starting, said so that its author can mend it.
struct Problem: Error, Equatable, Sendable, CustomStringConvertible {
    /// Where the offending text was given.
    enum Origin: Equatable, Sendable {
        case file(String, line: Int)
        case environment(String)
        case commandLine
        case defaults
    }

    var origin: Origin
    /// The section as its author wrote it, without the brackets.
    var section: String?
    var key: String?
    /// What is wrong and what would be right.
    var text: String

    init(_ origin: Origin, section: String? = nil, key: String? = nil, _ text: String) {
        self.origin = origin
        self.section = section
        self.key = key
        self.text = text
    }

    /// `config.ini:14: [SIP] certificate: file 'x.pem' not found`
    var description: String {
        var result =
            switch origin {
            case .file(let name, let line): "\(name):\(line): "
            case .environment(let name): "environment \(name): "
            case .commandLine: "command line: "
            case .defaults: "default: "
            }
        if let section { result += "[\(section)] " }
        if let key { result += key }
        if section != nil || key != nil {
            if result.hasSuffix(" ") { result.removeLast() }
            result += ": "
        }
        return result + text
    }
}
