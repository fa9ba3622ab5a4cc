internal import FoundationEssentials

#if canImport(Glibc)
    internal import Glibc
#endif

/// Finds the configuration file, reads it with the environment and the command line, and checks all of it.
enum SettingsFile {
    /// Where the file is looked for when the command line doesn't name one.
    static let places = ["config.ini", "/etc/confd/config.ini", "/etc/msrprelay/config.ini"]

    /// What loading gave: the settings hold only when there are no problems.
    struct Loaded: Sendable {
        var settings: Settings
        var problems: [Problem]
        /// The file that was read; nil when there was none and all defaults hold.
        var path: String?
        /// Where everything was given.
        var source: SettingsSource
    }

    /// Reads the named file, else the first of `places` that is there, else nothing.
    static func load(
        named file: String?, overrides: [String] = [],
        environment: [String: String] = ProcessInfo.processInfo.environment
    ) -> Loaded {
        var source = SettingsSource(isReadable: { access($0, R_OK) == 0 && !isFolder($0) })
        let path = file ?? places.first { access($0, F_OK) == 0 }
        var unreadable: Problem?
        if let path {
            do {
                let bytes = try [UInt8](Data(contentsOf: URL(filePath: path)))
                source.add(file: bytes, name: path, folder: folder(of: path))
            } catch {
                let reason = access(path, F_OK) == 0 ? "can't be read" : "not found"
                unreadable = Problem(.commandLine, "configuration file '\(path)' \(reason)")
                if file == nil { unreadable?.origin = .file(path, line: 1) }
            }
        }
        source.add(environment: environment, folder: "")
        source.add(commandLine: overrides, folder: "")
        let settings = Settings(&source)
        source.checkCertificates(settings)
        return Loaded(
            settings: settings, problems: [unreadable].compactMap { $0 } + inOrder(source.problems), path: path,
            source: source)
    }

    /// By line for those of the file, the others after them.
    private static func inOrder(_ problems: [Problem]) -> [Problem] {
        func rank(_ problem: Problem) -> Int {
            if case .file(_, let line) = problem.origin { return line }
            return Int.max
        }
        return problems.enumerated().sorted { (rank($0.element), $0.offset) < (rank($1.element), $1.offset) }
            .map(\.element)
    }

    private static func folder(of path: String) -> String {
        guard let slash = path.lastIndex(of: "/") else { return "" }
        return slash == path.startIndex ? "/" : String(path[..<slash])
    }

    private static func isFolder(_ path: String) -> Bool {
        var information = stat()
        return stat(path, &information) == 0 && information.st_mode & S_IFMT == S_IFDIR
    }
}
