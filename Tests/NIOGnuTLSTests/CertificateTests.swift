import Glibc
import NIOGnuTLS
import Testing

@Suite("Certificates")
struct CertificateTests {
    /// A folder that goes with the test.
    private final class Folder {
        let path: String

        init() {
            var template = Array("/tmp/confd-certificates-XXXXXX".utf8CString)
            path = mkdtemp(&template).map { String(cString: $0) } ?? "/tmp"
        }

        deinit {
            for name in ["certificate.pem", "key.pem", "x.pem"] { unlink("\(path)/\(name)") }
            rmdir(path)
        }

        func write(_ text: [UInt8], _ name: String) -> String {
            let file = fopen("\(path)/\(name)", "w")
            fwrite(text, 1, text.count, file)
            fclose(file)
            return "\(path)/\(name)"
        }

        func mode(_ name: String) -> mode_t {
            var status = stat()
            stat("\(path)/\(name)", &status)
            return status.st_mode & 0o777
        }
    }

    @Test("a generated certificate is kept for the next start, its key for its owner only")
    func ensure() throws {
        let folder = Folder()
        let first = try SelfSignedCertificate.ensure(directory: folder.path, names: ["chat.example.com", "::1"])
        let second = try SelfSignedCertificate.ensure(directory: folder.path, names: ["chat.example.com"])
        #expect(first.wasGenerated)
        #expect(!second.wasGenerated)
        #expect(first.identity.fingerprint() == second.identity.fingerprint())
        #expect(folder.mode("key.pem") == 0o600)
        #expect(folder.mode("certificate.pem") == 0o644)
    }

    @Test("a folder that is not there is made, with those above it")
    func makesFolder() throws {
        let folder = Folder()
        let files = try SelfSignedCertificate.ensure(directory: "\(folder.path)/a/b", names: ["a"])
        #expect(files.wasGenerated)
        for name in ["a/b/certificate.pem", "a/b/key.pem"] { unlink("\(folder.path)/\(name)") }
        for name in ["a/b", "a"] { rmdir("\(folder.path)/\(name)") }
    }

    @Test("halves of two certificates are replaced")
    func halves() throws {
        let folder = Folder()
        let first = try SelfSignedCertificate.ensure(directory: folder.path, names: ["a"])
        _ = folder.write(Identities.client.keyPEM, "key.pem")
        let second = try SelfSignedCertificate.ensure(directory: folder.path, names: ["a"])
        #expect(second.wasGenerated)
        #expect(first.identity.fingerprint() != second.identity.fingerprint())
    }

    @Test("mistakes are named for the operator")
    func errors() throws {
        let folder = Folder()
        let certificate = folder.write(Identities.server.certificatePEM, "certificate.pem")
        let key = folder.write(Identities.server.keyPEM, "key.pem")
        let other = folder.write(Identities.client.keyPEM, "x.pem")
        let missing = "\(folder.path)/missing.pem"

        #expect(throws: CertificateError.notFound(file: missing)) {
            try TLSIdentity.load(certificateFile: missing, keyFile: key)
        }
        #expect(throws: CertificateError.notACertificate(file: key)) {
            try TLSIdentity.load(certificateFile: key, keyFile: key)
        }
        #expect(throws: CertificateError.notAKey(file: certificate)) {
            try TLSIdentity.load(certificateFile: certificate, keyFile: certificate)
        }
        #expect(throws: CertificateError.keyMismatch(keyFile: other, certificateFile: certificate)) {
            try TLSIdentity.load(certificateFile: certificate, keyFile: other)
        }
        #expect("\(CertificateError.notFound(file: "x.pem"))" == "file 'x.pem' not found")
        #expect("\(CertificateError.notACertificate(file: "x.pem"))" == "file 'x.pem': not a PEM certificate")
        #expect(
            "\(CertificateError.keyMismatch(keyFile: "k", certificateFile: "c"))"
                == "key does not belong to the certificate ('k', 'c')")
        #expect(throws: CertificateError.unreadable(file: folder.path, reason: "Is a directory")) {
            try TLSIdentity.load(certificateFile: folder.path, keyFile: key)
        }
    }

    @Test("certificate and key may be in one file")
    func oneFile() throws {
        let folder = Folder()
        let file = folder.write(Identities.server.keyPEM + Identities.server.certificatePEM, "x.pem")
        let identity = try TLSIdentity.load(certificateFile: file, keyFile: file)
        #expect(identity.chain == Identities.server.chain)
    }

    @Test("a chain is kept leaf first")
    func chain() throws {
        let pem = Identities.server.certificatePEM + Identities.client.certificatePEM
        let identity = try TLSIdentity(certificatePEM: pem, keyPEM: Identities.server.keyPEM)
        #expect(identity.chain.first == Identities.server.chain.first)
        #expect(identity.fingerprint() == Identities.server.fingerprint())
    }

    @Test("certificates made one after the other differ")
    func unique() throws {
        let one = try SelfSignedCertificate.generate(names: ["a"])
        let two = try SelfSignedCertificate.generate(names: ["a"])
        #expect(one.fingerprint() != two.fingerprint())
    }
}

@Suite("Fingerprints (RFC 8122 section 5)")
struct FingerprintTests {
    /// The digests of "abc" (FIPS 180).
    @Test(
        "digests are those of the standard",
        arguments: [
            (HashFunction.sha1, "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D"),
            (
                .sha224,
                "sha-224 23:09:7D:22:34:05:D8:22:86:42:A4:77:BD:A2:55:B3:2A:AD:BC:E4:BD:A0:B3:F7:E3:6C:9D:A7"
            ),
            (
                .sha256,
                "sha-256 BA:78:16:BF:8F:01:CF:EA:41:41:40:DE:5D:AE:22:23:"
                    + "B0:03:61:A3:96:17:7A:9C:B4:10:FF:61:F2:00:15:AD"
            ),
        ])
    func digests(hash: HashFunction, text: String) {
        let fingerprint = CertificateFingerprint(hash, ofCertificate: Array("abc".utf8))
        #expect(fingerprint.description == text)
        #expect(CertificateFingerprint(text) == fingerprint)
        #expect(CertificateFingerprint(text.lowercased()) == fingerprint)
        #expect(CertificateFingerprint(text.uppercased()) == fingerprint)
    }

    @Test("all lengths go round", arguments: HashFunction.allCases)
    func roundTrip(hash: HashFunction) {
        let fingerprint = Identities.server.fingerprint(hash)
        #expect(fingerprint.digest.count == hash.length)
        #expect(CertificateFingerprint(fingerprint.description) == fingerprint)
    }

    @Test(
        "what is malformed or must not be used is no fingerprint",
        arguments: [
            "", "sha-256", "sha-1 A9", "md5 00:11:22:33:44:55:66:77:88:99:AA:BB:CC:DD:EE:FF",
            "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D:00",
            "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:XX",
            "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D:89D",
            "sha-1 A9:99:3E:36:47:06:81:6A:BA:3E:25:71:78:50:C2:6C:9C:D0:D8:9D x",
        ])
    func malformed(text: String) {
        #expect(CertificateFingerprint(text) == nil)
    }

    @Test("the strongest hash function that was offered decides (RFC 8122 section 5.1)")
    func strongest() {
        let server = Identities.server
        let right = [server.fingerprint(.sha1), server.fingerprint(.sha256)]
        let weakOnly = [server.fingerprint(.sha1), Identities.client.fingerprint(.sha256)]
        let several = [Identities.client.fingerprint(.sha256), server.fingerprint(.sha256)]
        #expect(CertificateFingerprint.match(certificate: server.chain[0], oneOf: right))
        #expect(!CertificateFingerprint.match(certificate: server.chain[0], oneOf: weakOnly))
        #expect(CertificateFingerprint.match(certificate: server.chain[0], oneOf: several))
        #expect(!CertificateFingerprint.match(certificate: server.chain[0], oneOf: []))
    }
}
