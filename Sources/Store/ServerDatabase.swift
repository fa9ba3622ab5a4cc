/// A database server that a `uri` names, and how to do without it until it can be asked.
struct ServerDatabase {
    enum Kind { case mySQL, postgreSQL }

    private let kind: Kind
    private let shown: String
    private let host: String
    private let port: String?
    private let user: String
    private let database: String

    init(_ text: String, kind: Kind) {
        self.kind = kind
        shown = Self.withoutPassword(text)
        var rest = text[...]
        if let scheme = rest.firstRange(of: "://") { rest = rest[scheme.upperBound...] }
        rest = rest.prefix { $0 != "?" }
        let authority = rest.prefix { $0 != "/" }
        let name = rest[authority.endIndex...].drop { $0 == "/" }
        database = name.isEmpty ? "opensips" : String(name)
        var place = authority[...]
        var account = Substring()
        if let at = authority.lastIndex(of: "@") {
            account = authority[..<at].prefix { $0 != ":" }
            place = authority[authority.index(after: at)...]
        }
        user = account.isEmpty ? "opensips" : String(account)
        if let colon = place.lastIndex(of: ":"), place[place.index(after: colon)...].allSatisfy(\.isNumber) {
            port = String(place[place.index(after: colon)...])
            place = place[..<colon]
        } else {
            port = nil
        }
        host = place.isEmpty ? "localhost" : String(place)
    }

    /// The text of a URI as it may be shown.
    static func withoutPassword(_ text: String) -> String {
        guard let scheme = text.firstRange(of: "://"), let at = text.lastIndex(of: "@"), at > scheme.upperBound,
            let colon = text[scheme.upperBound..<at].firstIndex(of: ":")
        else { return text }
        return text[...colon] + "***" + text[at...]
    }

    /// The two ways on. The columns are those of the default; whoever has others knows them.
    var error: StoreError {
        StoreError(
            """
            '\(shown)': accounts can't be read from \(kind == .mySQL ? "MySQL" : "PostgreSQL") yet. Two ways on:
              1. Copy the subscriber table to an SQLite file, at every change or by cron; confd takes the new file at once:
                   cd /var/lib/confd
            \(export.map { "       \($0)" }.joined(separator: "\n"))
                   sqlite3 accounts.new "CREATE TABLE subscriber (username TEXT NOT NULL, domain TEXT NOT NULL, \
            password TEXT, ha1 TEXT, UNIQUE (username, domain))"
            \(load.map { "       \($0)" }.joined(separator: "\n"))
                   rm subscriber.\(suffix) && chmod 600 accounts.new && chown --reference=. accounts.new
                   mv accounts.new accounts.sqlite
                 and write: uri = sqlite:///var/lib/confd/accounts.sqlite
              2. Keep the accounts in the [Memory] section, one 'user@domain = password' a line, with backend = memory
                 in [Relay]; or in confd's own database: 'confd account add user@domain', and no uri in [Database].
            """,
            option: .uri)
    }

    private var suffix: String { kind == .mySQL ? "tsv" : "csv" }

    private var export: [String] {
        switch kind {
        case .mySQL:
            let query = "SELECT username, domain, IFNULL(password, ''), IFNULL(ha1, '') FROM subscriber"
            let way = "-h \(quote(host))\(port.map { " -P \($0)" } ?? "") -u \(quote(user)) -p"
            return [
                "(umask 077; mysql \(way) --batch --raw --skip-column-names -e \"\(query)\" \(quote(database)) "
                    + "> subscriber.tsv)"
            ]
        case .postgreSQL:
            let query = "SELECT username, domain, password, ha1 FROM subscriber"
            let way = "-h \(quote(host))\(port.map { " -p \($0)" } ?? "") -U \(quote(user))"
            return [
                "(umask 077; psql \(way) -d \(quote(database)) -c \"COPY (\(query)) TO STDOUT WITH (FORMAT csv)\" "
                    + "> subscriber.csv)"
            ]
        }
    }

    private var load: [String] {
        switch kind {
        // Neither quotes nor backslashes mean anything in this form.
        case .mySQL:
            [
                "sqlite3 accounts.new -cmd '.mode ascii' -cmd '.separator \"\\t\" \"\\n\"' '.import subscriber.tsv subscriber'"
            ]
        case .postgreSQL: ["sqlite3 accounts.new -cmd '.mode csv' '.import subscriber.csv subscriber'"]
        }
    }

    /// For a shell: what stands in the URI can be anything.
    private func quote(_ text: String) -> String {
        let isPlain = text.utf8.allSatisfy { byte in
            switch byte {
            case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                UInt8(ascii: "0")...UInt8(ascii: "9"):
                true
            default: "._-".utf8.contains(byte)
            }
        }
        if isPlain && !text.isEmpty { return text }
        return "'" + text.split(separator: "'", omittingEmptySubsequences: false).joined(separator: "'\\''") + "'"
    }
}
