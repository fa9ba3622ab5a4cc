import Foundation
import NIOGnuTLS
import Testing

@testable import confd

@Suite("Certificates of the parts")
struct CertificatesTests {
    /// A folder with certificates for `names`, each in files of its name.
    private func inFolder(_ names: [String], _ body: (String) throws -> Void) throws {
        let folder = FileManager.default.temporaryDirectory.appending(path: "confd-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        defer { try? FileManager.default.removeItem(at: folder) }
        for name in names {
            let identity = try SelfSignedCertificate.generate(names: [name])
            try Data(identity.certificatePEM).write(to: folder.appending(path: "\(name).crt"))
            try Data(identity.keyPEM).write(to: folder.appending(path: "\(name).key"))
        }
        try body(folder.path)
    }

    private func load(_ text: String, _ folder: String) throws -> (Settings, Certificates) {
        var source = SettingsSource(isReadable: { FileManager.default.isReadableFile(atPath: $0) })
        source.add(file: Array(text.utf8), name: "config.ini", folder: folder)
        let settings = Settings(&source)
        source.checkCertificates(settings)
        #expect(source.problems.map(\.description) == [])
        return (settings, try Certificates(settings, stateDirectory: "\(folder)/state", names: ["generated"]))
    }

    private func files(_ name: String) -> String { "certificate = \(name).crt\nkey = \(name).key\n" }

    @Test("a part without a certificate takes another's, and only where there is none is one made")
    func sharing() throws {
        try inFolder(["sip", "msrp", "relay"]) { folder in
            let (s, m, r) = (files("sip"), files("msrp"), files("relay"))
            for (text, sip, msrp, relay) in [
                ("[SIP]\n\(s)[MSRP]\n\(m)[Relay]\n\(r)", "sip", "msrp", "relay"),
                ("[SIP]\n\(s)[MSRP]\n\(m)[Relay]\n", "sip", "msrp", "msrp"),
                ("[SIP]\n\(s)[Relay]\n", "sip", "sip", "sip"),
                ("[SIP]\n[Relay]\n\(r)", "generated", "relay", "relay"),
                ("[SIP]\n[MSRP]\n\(m)", "generated", "msrp", "msrp"),
                ("[SIP]\n[Relay]\n", "generated", "generated", "generated"),
            ] {
                let (_, certificates) = try load(text, folder)
                #expect(certificates.sip.names == [sip], "\(text)")
                #expect(certificates.msrp.names == [msrp], "\(text)")
                #expect(certificates.relay.names == [relay], "\(text)")
            }
        }
    }

    @Test("a relay alone that has a certificate needs no state directory for another")
    func alone() throws {
        try inFolder(["relay", "other"]) { folder in
            let (settings, certificates) = try load(
                "[Relay]\n\(files("relay"))[Certificate other]\n\(files("other"))", folder)
            #expect(!FileManager.default.fileExists(atPath: "\(folder)/state"))
            #expect(certificates.onMSRPPorts(settings).map(\.names) == [["relay"], ["other"]])
            #expect(!certificates.relayIsGenerated)
        }
    }

    @Test("the rooms' certificate is the one that clients get who ask for no name")
    func first() throws {
        try inFolder(["msrp", "relay"]) { folder in
            let (settings, certificates) = try load(
                "[SIP]\n[MSRP]\n\(files("msrp"))[Relay]\n\(files("relay"))", folder)
            #expect(certificates.onMSRPPorts(settings).map(\.names) == [["msrp"], ["relay"]])
        }
    }

    @Test("names and addresses of a certificate are told in its order, and a wildcard is for one label")
    func names() throws {
        let identity = try SelfSignedCertificate.generate(names: ["*.example.com", "a.example.org", "127.0.0.1", "::1"])
        #expect(identity.names == ["*.example.com", "a.example.org", "127.0.0.1", "::1"])
        for host in ["x.example.com", "a.example.org", "127.0.0.1", "::1"] { #expect(identity.isFor(host), "\(host)") }
        for host in ["example.com", "x.y.example.com", "b.example.org", "127.0.0.2"] {
            #expect(!identity.isFor(host), "\(host)")
        }
    }

    @Test("a certificate for another name than its section's is told")
    func wrongName() throws {
        try inFolder(["chat.example.org"]) { folder in
            var source = SettingsSource(isReadable: { _ in true })
            let text = "[Certificate chat.example.com]\n\(files("chat.example.org"))"
            source.add(file: Array(text.utf8), name: "config.ini", folder: folder)
            source.checkCertificates(Settings(&source))
            #expect(
                source.problems.map(\.description) == [
                    "config.ini:2: [Certificate chat.example.com] certificate: the certificate is not for "
                        + "chat.example.com but for chat.example.org"
                ])
        }
    }
}
