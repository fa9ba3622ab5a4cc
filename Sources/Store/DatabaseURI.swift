/// `[Database] uri`, in the form of the libraries that the relay's predecessor used.
package enum DatabaseURI: Sendable, Equatable {
    /// The absolute path of an SQLite file.
    case sqlite(path: String)

    /// Reads `sqlite:///path`.
    ///
    /// - Throws: what is wrong and what would be right; for MySQL and PostgreSQL the ways on, in several lines.
    package init(_ text: String) throws(StoreError) {
        guard let colon = text.firstIndex(of: ":") else {
            throw Self.misspelt(text, "has no scheme")
        }
        // Drivers are named behind a plus sign: mysql+pymysql.
        let scheme = text[..<colon].lowercased().prefix { $0 != "+" }
        switch scheme {
        case "sqlite", "sqlite3": self = .sqlite(path: try Self.path(of: text, after: colon))
        case "mysql", "mariadb": throw ServerDatabase(text, kind: .mySQL).error
        case "postgres", "postgresql", "pgsql": throw ServerDatabase(text, kind: .postgreSQL).error
        default: throw Self.misspelt(ServerDatabase.withoutPassword(text), "is of a kind that is not known")
        }
    }

    private static func misspelt(_ text: String, _ what: String) -> StoreError {
        StoreError("'\(text)' \(what); write sqlite:///path/to/accounts.sqlite", option: .uri)
    }

    private static func path(of text: String, after colon: String.Index) throws(StoreError) -> String {
        var rest = text[text.index(after: colon)...]
        if rest.hasPrefix("//") {
            rest = rest.dropFirst(2)
            if rest.hasPrefix("localhost/") { rest = rest.dropFirst("localhost".count) }
            guard rest.hasPrefix("/") else {
                throw misspelt(text, "has two slashes before its path, where three are needed")
            }
        }
        guard rest.hasPrefix("/") else { throw misspelt(text, "has no absolute path") }
        // Parameters of the predecessor's library: none of them concerns us.
        rest = rest.prefix { $0 != "?" }
        while rest.hasPrefix("//") { rest = rest.dropFirst() }
        guard let path = decodingPercents(rest), !path.utf8.contains(0) else {
            throw misspelt(text, "has a % without two hexadecimal digits")
        }
        guard !path.hasSuffix("/"), path != "/:memory:" else { throw misspelt(text, "names no file") }
        return path
    }

    /// `%20` is a blank.
    private static func decodingPercents(_ text: Substring) -> String? {
        var bytes: [UInt8] = []
        var rest = text.utf8[...]
        while let byte = rest.popFirst() {
            guard byte == UInt8(ascii: "%") else {
                bytes.append(byte)
                continue
            }
            let digits = rest.prefix(2)
            guard digits.count == 2, digits.allSatisfy({ $0 != UInt8(ascii: "+") && $0 != UInt8(ascii: "-") }),
                let byte = UInt8(String(decoding: digits, as: UTF8.self), radix: 16)
            else { return nil }
            bytes.append(byte)
            rest = rest.dropFirst(2)
        }
        return String(validating: bytes, as: UTF8.self)
    }
}
