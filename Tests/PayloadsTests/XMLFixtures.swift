import Foundation
import Support
import Testing

@testable import Payloads

/// What xmllint says about documents.
enum Schema: String {
    case conferenceInfo = "rfc4575-conference-info.xsd"
    case resourceLists = "rfc4826-resource-lists.xsd"

    static let canCheck = Tool.exists("xmllint")

    /// Its complaints; empty when all documents are valid.
    func complaints(about documents: [[UInt8]]) throws -> String {
        let folder = try TemporaryFolder()
        var files: [String] = []
        for (number, document) in documents.enumerated() {
            let file = "\(folder.path)/\(number).xml"
            try Data(document).write(to: URL(fileURLWithPath: file))
            files.append(file)
        }
        let schema = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
            .appendingPathComponent("Corpus/xsd/\(rawValue)").path
        let result = try Tool.run("xmllint", ["--noout", "--nonet", "--schema", schema] + files)
        return result.exit == .exited(0) ? "" : result.errors
    }
}

func text(_ octets: [UInt8]) -> String { String(decoding: octets, as: UTF8.self) }

/// The document without the blanks between its tags, its comments and its declaration, to be compared by eye and test.
func compact(_ document: String) -> String {
    document.split(separator: "\n").map { $0.drop { $0 == " " } }.joined()
}
