import Foundation
import Testing

@testable import confd

@Suite("Settings from files")
struct SettingsFileTests {
    /// A folder that is there as long as the test runs.
    private func inFolder(_ body: (URL) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "confd-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        try body(folder)
    }

    @Test("a file that isn't there is told")
    func missing() {
        let loaded = SettingsFile.load(named: "/nonexistent/x.ini", environment: [:])
        #expect(
            loaded.problems.map(\.description) == [
                "command line: configuration file '/nonexistent/x.ini' not found"
            ])
    }

    @Test("paths in the file start at its folder, problems come in the order of its lines")
    func paths() throws {
        try inFolder { folder in
            let file = folder.appending(path: "config.ini").path
            try "[SIP]\nkey = b.key\ncertificate = a.pem\n[Conference]\nstate_directory = state\nmaxrooms = 3\n"
                .write(toFile: file, atomically: true, encoding: .utf8)
            let loaded = SettingsFile.load(named: file, environment: [:])
            #expect(loaded.settings.conference.stateDirectory == folder.path + "/state")
            #expect(
                loaded.problems.map(\.description) == [
                    "\(file):2: [SIP] key: file 'b.key' not found (looked for \(folder.path)/b.key)",
                    "\(file):3: [SIP] certificate: file 'a.pem' not found (looked for \(folder.path)/a.pem)",
                    "\(file):6: [Conference] maxrooms: unknown option; did you mean 'max_rooms'?",
                ])
        }
    }

    @Test("a certificate that is none is told, and so is a key of another certificate")
    func certificates() throws {
        try inFolder { folder in
            let file = folder.appending(path: "config.ini").path
            try "nonsense".write(toFile: folder.path + "/a.pem", atomically: true, encoding: .utf8)
            try "[SIP]\ncertificate = a.pem\nkey = a.pem\n".write(toFile: file, atomically: true, encoding: .utf8)
            let loaded = SettingsFile.load(named: file, environment: [:])
            #expect(
                loaded.problems.map(\.description) == [
                    "\(file):2: [SIP] certificate: file '\(folder.path)/a.pem': not a PEM certificate"
                ])
        }
    }

    @Test("the state folder is made for its owner alone, and a place where it can't be is told with its option")
    func stateDirectory() throws {
        try inFolder { folder in
            let path = try StateDirectory.prepare(folder.path + "/a/b")
            let mode = try FileManager.default.attributesOfItem(atPath: path)[.posixPermissions] as? Int
            #expect(mode == 0o700)
            try "".write(toFile: folder.path + "/file", atomically: true, encoding: .utf8)
            let error = #expect(throws: StartError.self) { try StateDirectory.prepare(folder.path + "/file/x") }
            #expect(
                error?.description.hasPrefix("[Conference] state_directory: the folder '\(folder.path)/file/x'") == true
            )
        }
    }
}
