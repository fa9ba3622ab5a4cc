import Foundation
import Testing

@Suite("Documentation")
struct DocumentationTests {
    private static let root = URL(filePath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .deletingLastPathComponent()

    /// The titles of tests and suites, by file.
    private static func titles() throws -> [String: [String]] {
        let title = /@(?:Suite|Test)\(\s*"((?:[^"\\]|\\.)*)"/
        let tests = root.appending(path: "Tests")
        var found: [String: [String]] = [:]
        for path in try FileManager.default.subpathsOfDirectory(atPath: tests.path) where path.hasSuffix(".swift") {
            let file = tests.appending(path: path)
            let text = try String(contentsOf: file, encoding: .utf8)
            found[file.deletingPathExtension().lastPathComponent, default: []] += text.matches(of: title).map {
                String($0.output.1)
            }
        }
        return found
    }

    @Test("docs/protocols.md names tests that exist")
    func protocols() throws {
        let titles = try Self.titles()
        let text = try String(contentsOf: Self.root.appending(path: "docs/protocols.md"), encoding: .utf8)
        var named = 0
        for line in text.split(separator: "\n") {
            var file: String?
            for match in line.matches(of: /`([A-Z]\w*Tests)`|"([^"]+)"/) {
                if let name = match.output.1 {
                    file = String(name)
                    #expect(titles[String(name)] != nil, "no file \(name).swift")
                } else if let file, let title = match.output.2 {
                    named += 1
                    let isBeginning = title.hasSuffix("…")
                    let exists = titles[file, default: []].contains {
                        isBeginning ? $0.hasPrefix(title.dropLast()) : $0 == title
                    }
                    #expect(exists, "\(file) has no test “\(title)”")
                }
            }
        }
        #expect(named > 100)
    }
}
