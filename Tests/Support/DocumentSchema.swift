import Foundation

/// The schema of a kind of XML document, asked of xmllint.
package enum DocumentSchema: String, Sendable {
    case conferenceInfo = "rfc4575-conference-info.xsd"
    case resourceLists = "rfc4826-resource-lists.xsd"

    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
        .deletingLastPathComponent().appendingPathComponent("Corpus/xsd").path

    package static var isAvailable: Bool { Tool.exists("xmllint") }

    /// Throws what xmllint says against the first documents that aren't valid.
    package func validate(_ documents: [[UInt8]]) throws {
        guard !documents.isEmpty else { return }
        let folder = try TemporaryFolder()
        for start in stride(from: 0, to: documents.count, by: 500) {
            let files = try documents[start..<min(start + 500, documents.count)].enumerated().map { index, octets in
                let file = "\(folder.path)/\(start + index).xml"
                try Data(octets).write(to: URL(fileURLWithPath: file))
                return file
            }
            let result = try Tool.run(
                "xmllint", ["--nonet", "--noout", "--schema", "\(Self.folder)/\(rawValue)"] + files)
            guard result.exit == .exited(0) else {
                let lines = result.errors.split(separator: "\n").filter { !$0.hasSuffix(" validates") }
                let first = lines.first.map(String.init) ?? ""
                let name = first.split(separator: ":").first.map(String.init) ?? ""
                let text = (try? String(contentsOfFile: name, encoding: .utf8)) ?? ""
                throw SupportError("\(rawValue): \(lines.prefix(5).joined(separator: "\n"))\n\(text)")
            }
        }
    }
}
