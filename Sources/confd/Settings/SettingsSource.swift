/// The values as given by file, environment and command line, each with the place it came from, and the problems
/// found in them. The command line wins over the environment, the environment over the file.
struct SettingsSource: Sendable {
    struct Given: Equatable, Sendable {
        var text: String
        var origin: Problem.Origin
        /// Relative paths in the value start here.
        var folder: String
    }

    struct RoomSection: Equatable, Sendable {
        var user: String
        var domain: String
        /// The canonical section name, the key of its values.
        var section: String
        var origin: Problem.Origin
    }

    struct CertificateSection: Equatable, Sendable {
        /// In lower case.
        var domain: String
        /// The canonical section name, the key of its values.
        var section: String
        var origin: Problem.Origin
    }

    struct AccountEntry: Equatable, Sendable {
        var account: Settings.MemoryAccount
        var origin: Problem.Origin
    }

    /// An option's place: canonical section name and key.
    struct Place: Hashable, Sendable {
        var section: String
        var key: String
    }

    private(set) var problems: [Problem] = []
    private(set) var rooms: [RoomSection] = []
    private(set) var certificates: [CertificateSection] = []
    private(set) var accounts: [AccountEntry] = []
    /// Where each section was first named, by its canonical name; a single option of the environment or the command
    /// line names its section too.
    private(set) var sections: [String: Problem.Origin] = [:]
    /// What each option that was asked for turned out to be, in words that tell two values apart.
    private(set) var taken: [Place: String] = [:]
    private var values: [Place: Given] = [:]
    private let isReadable: @Sendable (String) -> Bool

    /// - Parameters:
    ///   - isReadable: whether a file is there and may be read.
    init(isReadable: @escaping @Sendable (String) -> Bool) {
        self.isReadable = isReadable
    }

    // MARK: Giving

    /// Takes the entries of a file. `name` is how problems call it, `folder` where its relative paths start.
    mutating func add(file bytes: [UInt8], name: String, folder: String) {
        let file = INIFile(parsing: bytes)
        for fault in file.faults {
            problems.append(Problem(.file(name, line: fault.line), section: fault.section, fault.text))
        }
        for section in file.sections {
            let origin = Problem.Origin.file(name, line: section.line)
            guard let canonical = canonicalSection(section.name, origin) else { continue }
            if sections[canonical] == nil { sections[canonical] = origin }
            for entry in section.entries {
                let place = Problem.Origin.file(name, line: entry.line)
                give(canonical, entry.key, Given(text: entry.value, origin: place, folder: folder), named: section.name)
            }
        }
    }

    /// Takes variables such as `CONFD_SIP_LISTEN`; others that start with `CONFD_` but no section's name are left alone.
    mutating func add(environment: [String: String], folder: String) {
        for (name, text) in environment.sorted(by: { $0.key < $1.key }) where name.hasPrefix("CONFD_") {
            let words = name.dropFirst("CONFD_".count)
            guard let end = words.firstIndex(of: "_") else { continue }
            let known = Options.plainSections.subtracting([Options.memory])
            guard let section = known.first(where: { $0.uppercased() == words[..<end].uppercased() }) else {
                continue
            }
            let key = words[words.index(after: end)...].lowercased()
            let given = Given(text: String(text[...].trimmingBlanks()), origin: .environment(name), folder: folder)
            give(section, key, given, named: section)
        }
    }

    /// Takes `Section.key=value` words of the command line.
    mutating func add(commandLine words: [String], folder: String) {
        for word in words {
            // A room's section may hold dots, an account's name too.
            let isAccount = word.lowercased().hasPrefix("memory.")
            guard let equals = word.firstIndex(of: "="),
                let dot = isAccount ? word.firstIndex(of: ".") : word[..<equals].lastIndex(of: ".")
            else {
                problems.append(
                    Problem(.commandLine, "'\(word)' is not Section.key=value, such as SIP.listen=udp:[::1]:0"))
                continue
            }
            let section = String(word[..<dot].trimmingBlanks())
            guard let canonical = canonicalSection(section, .commandLine) else { continue }
            let key = String(word[word.index(after: dot)..<equals].trimmingBlanks())
            let text = String(word[word.index(after: equals)...].trimmingBlanks())
            give(canonical, key, Given(text: text, origin: .commandLine, folder: folder), named: section)
        }
    }

    private mutating func give(_ section: String, _ key: String, _ given: Given, named: String) {
        if sections[section] == nil { sections[section] = given.origin }
        if section == Options.memory { return account(key, given) }
        let table = section.split(separator: " ").first.map(String.init) ?? section
        let options = Options.all.filter { $0.section == table }
        guard let option = options.first(where: { $0.isCalled(key.lowercased()) }) else {
            problems.append(Problem(given.origin, section: named, key: key, Self.unknownOption(key, among: options)))
            return
        }
        let place = Place(section: section, key: option.key)
        if case .file(_, let earlier) = values[place]?.origin, case .file = given.origin {
            problems.append(
                Problem(given.origin, section: named, key: key, "given twice (first in line \(earlier)); keep one"))
        }
        values[place] = given
    }

    /// `alice@example.com = 1234`; problems never show the password.
    private mutating func account(_ name: String, _ given: Given) {
        func problem(_ text: String) { problems.append(Problem(given.origin, section: "Memory", key: name, text)) }
        let right = "write user@domain = password, such as \(Options.memoryExample)"
        guard let at = name.lastIndex(of: "@"), at != name.startIndex, name.index(after: at) != name.endIndex,
            !name.contains(where: { $0 == " " || $0 == "\t" || $0 == "\"" })
        else { return problem("is not user@domain; \(right)") }
        if given.text.isEmpty { return problem("needs its password; \(right)") }
        let account = Settings.MemoryAccount(
            username: String(name[..<at]), domain: name[name.index(after: at)...].lowercased(), password: given.text)
        let entry = AccountEntry(account: account, origin: given.origin)
        func isSame(_ other: AccountEntry) -> Bool {
            other.account.username == account.username && other.account.domain == account.domain
        }
        guard let index = accounts.firstIndex(where: isSame) else { return accounts.append(entry) }
        if case .file(_, let earlier) = accounts[index].origin, case .file = given.origin {
            return problem("given twice (first in line \(earlier)); keep one")
        }
        accounts[index] = entry
    }

    private static func unknownOption(_ key: String, among options: [any OptionDescription]) -> String {
        if let near = Suggestion.nearest(to: key, in: options.map(\.key)) {
            return "unknown option; did you mean '\(near)'?"
        }
        if let elsewhere = Options.all.first(where: { $0.isCalled(key.lowercased()) }) {
            return "unknown option; '\(elsewhere.key)' belongs in [\(elsewhere.section)]"
        }
        return "unknown option; known are \(options.map(\.key).joined(separator: ", "))"
    }

    /// The section's name as the table has it, or nil with a problem reported.
    private mutating func canonicalSection(_ name: String, _ origin: Problem.Origin) -> String? {
        let words = name.split(separator: " ", maxSplits: 1)
        if words.first?.lowercased() == "room" { return roomSection(name, words.dropFirst().first ?? "", origin) }
        if words.first?.lowercased() == "certificate" {
            return certificateSection(name, words.dropFirst().first ?? "", origin)
        }
        let known = Options.plainSections
        if let canonical = known.first(where: { $0.lowercased() == name.lowercased() }) { return canonical }
        let candidates = known.sorted() + Options.namedSections.sorted()
        let hint = Suggestion.nearest(to: name, in: candidates).map { "; did you mean [\($0)]?" }
        let all =
            "; known are [SIP], [MSRP], [Conference], [Room user@domain], [Outbound], [Files], [Certificate domain], [Relay], [Database], "
            + "[Memory], [Log]"
        problems.append(Problem(origin, section: name, "unknown section" + (hint ?? all)))
        return nil
    }

    private mutating func certificateSection(
        _ name: String, _ text: Substring, _ origin: Problem.Origin
    ) -> String? {
        let domain = text.trimmingBlanks().lowercased()
        guard !domain.isEmpty, !domain.contains(where: { " \t@/:;,".contains($0) }) else {
            let right = "write [Certificate name], such as [Certificate chat.example.com]"
            problems.append(Problem(origin, section: name, "a further certificate needs the name it is for; \(right)"))
            return nil
        }
        let section = "Certificate \(domain)"
        if let earlier = certificates.first(where: { $0.section == section }) {
            if case .file(_, let line) = earlier.origin, case .file = origin {
                problems.append(Problem(origin, section: name, "this name has a section already (line \(line))"))
            }
        } else {
            certificates.append(CertificateSection(domain: domain, section: section, origin: origin))
        }
        return section
    }

    private mutating func roomSection(_ name: String, _ address: Substring, _ origin: Problem.Origin) -> String? {
        let address = address.trimmingBlanks()
        let right = "write [Room user@domain], such as [Room lobby@example.com]"
        guard let at = address.lastIndex(of: "@"), at != address.startIndex else {
            problems.append(Problem(origin, section: name, "a room needs its address; \(right)"))
            return nil
        }
        let user = String(address[..<at])
        var domain = address[address.index(after: at)...].lowercased()
        if domain.hasPrefix("["), domain.hasSuffix("]") { domain = String(domain.dropFirst().dropLast()) }
        if domain.isEmpty || address.contains(where: { $0 == " " || $0 == "\t" }) || user.lowercased().hasPrefix("sip:")
        {
            problems.append(Problem(origin, section: name, "'\(address)' is not user@domain; \(right)"))
            return nil
        }
        let section = "Room \(user)@\(domain)"
        if let earlier = rooms.first(where: { $0.section == section }) {
            if case .file(_, let line) = earlier.origin, case .file = origin {
                problems.append(Problem(origin, section: name, "this room has a section already (line \(line))"))
            }
        } else {
            rooms.append(RoomSection(user: user, domain: domain, section: section, origin: origin))
        }
        return section
    }

    // MARK: Taking

    /// Whether a section was named anywhere.
    func has(_ section: String) -> Bool { sections[section] != nil }

    /// Whether an option was given, and not left empty.
    func isGiven(_ option: any OptionDescription, in section: String? = nil) -> Bool {
        values[Place(section: section ?? option.section, key: option.key)].map { !$0.text.isEmpty } ?? false
    }

    /// Where an option's value comes from.
    func origin(of option: any OptionDescription, in section: String? = nil) -> Problem.Origin {
        values[Place(section: section ?? option.section, key: option.key)]?.origin ?? .defaults
    }

    /// The same by names.
    func origin(of key: String, in section: String) -> Problem.Origin {
        values[Place(section: section, key: key)]?.origin ?? .defaults
    }

    /// The option's value; its default when it isn't given, is empty, or can't be read (which is reported).
    mutating func value<Value>(_ option: Option<Value>, in section: String? = nil) -> Value {
        let place = Place(section: section ?? option.section, key: option.key)
        let value = read(option, at: place)
        taken[place] = "\(value)"
        return value
    }

    private mutating func read<Value>(_ option: Option<Value>, at place: Place) -> Value {
        guard let given = values[place], !given.text.isEmpty else { return option.defaultValue }
        do throws(ValueError) {
            return try option.read(given.text[...], ValueContext(folder: given.folder, isReadable: isReadable))
        } catch {
            problems.append(Problem(given.origin, section: place.section, key: option.key, error.text))
            return option.defaultValue
        }
    }

    /// Reports that a value, though readable, doesn't fit the others.
    mutating func report(_ option: any OptionDescription, _ section: String, _ text: String) {
        problems.append(Problem(origin(of: option, in: section), section: section, key: option.key, text))
    }

    /// Reports something about a room's section.
    mutating func report(room: Settings.Room, _ text: String) {
        guard let section = rooms.first(where: { $0.user == room.user && $0.domain == room.domain }) else { return }
        problems.append(Problem(section.origin, section: section.section, text))
    }

    /// Reports a certificate without its key, or the other way round.
    mutating func requirePair(_ certificate: Option<String?>, _ key: Option<String?>, in section: String? = nil) {
        let section = section ?? certificate.section
        if isGiven(certificate, in: section) && !isGiven(key, in: section) {
            report(certificate, section, "needs '\(key.key)' as well: the PEM file with its private key")
        }
        if isGiven(key, in: section) && !isGiven(certificate, in: section) {
            report(key, section, "needs '\(certificate.key)' as well: the PEM file of the certificate")
        }
    }
}
