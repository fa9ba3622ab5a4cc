/// One configuration option: its name, how its value is read, and what its reader should know.
///
/// The table of these is the only place where an option is described: the parser, the suggestions, the sample
/// file and the tests all come from it.
struct Option<Value: Sendable & Equatable>: OptionDescription {
    let section: String
    let key: String
    let aliases: [String]
    let defaultValue: Value
    let defaultText: String
    let example: String?
    let documentation: [String]
    let read: @Sendable (Substring, ValueContext) throws(ValueError) -> Value

    /// - Parameters:
    ///   - value: what holds when the option isn't given.
    ///   - text: `value` as it would be written, or words in parentheses where it can't be.
    ///   - example: what the sample shows when the default can't be written.
    ///   - aliases: other names by which files may know it.
    init(
        _ section: String, _ key: String, aliases: [String] = [], default value: Value, _ text: String,
        example: String? = nil,
        read: @escaping @Sendable (Substring, ValueContext) throws(ValueError) -> Value, _ documentation: String...
    ) {
        self.init(
            section, key, aliases: aliases, default: value, text, example: example, read: read,
            documentation: documentation)
    }

    init(
        _ section: String, _ key: String, aliases: [String] = [], default value: Value, _ text: String,
        example: String? = nil,
        read: @escaping @Sendable (Substring, ValueContext) throws(ValueError) -> Value, documentation: [String]
    ) {
        self.section = section
        self.key = key
        self.aliases = aliases
        self.defaultValue = value
        self.defaultText = text
        self.example = example
        self.read = read
        self.documentation = documentation
    }

    func check(_ text: String, _ context: ValueContext) throws(ValueError) {
        _ = try read(text[...], context)
    }
}

/// What can be said of an option without knowing its type.
protocol OptionDescription: Sendable {
    /// The section's name without brackets; `Room` stands for every `[Room user@domain]`, `Certificate` for every
    /// `[Certificate domain]`.
    var section: String { get }
    var key: String { get }
    /// Other names by which files may know it.
    var aliases: [String] { get }
    /// The default as written in a file, or words in parentheses.
    var defaultText: String { get }
    var example: String? { get }
    /// Sentences for the sample file, one a line.
    var documentation: [String] { get }
    func check(_ text: String, _ context: ValueContext) throws(ValueError)
}

extension OptionDescription {
    /// Whether the default can be written as a value.
    var hasWritableDefault: Bool { !defaultText.hasPrefix("(") }

    func isCalled(_ name: String) -> Bool { key == name || aliases.contains(name) }

    /// Whether a change is taken at SIGHUP; other changes wait for a restart.
    var isReadAgain: Bool {
        switch section {
        case "SIP": Options.SIP.readAgain.contains(key)
        case "Conference": !Options.Conference.readAtStart.contains(key)
        case "Outbound": key != Options.Outbound.tlsVerify.key
        case "MSRP": !Options.MSRP.readAtStart.contains(key)
        case "Files": false
        default: true
        }
    }
}

/// Why a value can't be used, and what would be right.
struct ValueError: Error, Equatable {
    var text: String
    init(_ text: String) { self.text = text }
}

/// What reading a value may look at besides its text.
struct ValueContext: Sendable {
    /// Relative paths start here: the folder of the file that holds the value.
    var folder: String
    /// Whether a file can be read.
    var isReadable: @Sendable (String) -> Bool

    /// The path with `folder` before it unless it's absolute; `~/` is the home folder.
    func resolve(_ path: String) -> String {
        if path.hasPrefix("/") || folder.isEmpty { return path }
        return folder.hasSuffix("/") ? folder + path : folder + "/" + path
    }
}
