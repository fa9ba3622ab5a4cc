import Foundation

/// A program of this machine that a test asks for its opinion.
package enum Tool {
    /// Where the program is; a name with a slash is its own path.
    package static func path(_ name: String) -> String? {
        if name.contains("/") { return access(name, X_OK) == 0 ? name : nil }
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "/usr/bin:/bin").split(separator: ":")
        return (folders + ["/usr/sbin", "/usr/bin"]).lazy.map { "\($0)/\(name)" }.first { access($0, X_OK) == 0 }
    }

    package static func exists(_ name: String) -> Bool { path(name) != nil }

    package struct Result: Sendable {
        package let exit: ChildProcess.Exit
        package let output: String
        package let errors: String
    }

    package static func run(
        _ name: String, _ arguments: [String], input: String? = nil, within seconds: Double = 60
    ) throws -> Result {
        guard let path = path(name) else { throw SupportError("\(name) is not installed") }
        let folder = try TemporaryFolder()
        let child = try ChildProcess(path, arguments, folder: folder.path, name: "tool", hasInput: input != nil)
        if let input {
            try child.write(input)
            child.closeInput()
        }
        let exit = try child.waitForExit(within: seconds)
        return Result(exit: exit, output: child.standardOutput, errors: child.standardError)
    }
}

/// A folder that goes away with its owner.
package final class TemporaryFolder: Sendable {
    package let path: String

    package init() throws {
        let folder = FileManager.default.temporaryDirectory.appendingPathComponent("confd-test-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        path = folder.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    package func write(_ text: String, to name: String) throws -> String {
        let file = "\(path)/\(name)"
        try text.write(toFile: file, atomically: true, encoding: .utf8)
        return file
    }
}
