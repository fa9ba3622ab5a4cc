import CSofia
import Glibc

/// The directory that Sofia reads its certificate from, once at start: `agent.pem` holds the certificate, its key and
/// the rest of its chain, `cafile.pem` the certificates that vouch for peers. It exists only while the stack starts.
struct TLSDirectory {
    let path: String

    /// nil when no listener speaks TLS.
    init?(_ configuration: SIPConfiguration) throws(SIPStartError) {
        guard configuration.listeners.contains(where: { $0.transport == .tls }) else { return nil }
        guard let identity = configuration.identity else {
            throw .certificate("a TLS listener needs a certificate and a key")
        }
        let chain = Self.certificates(in: identity.certificateChain)
        guard let own = chain.first else { throw .certificate("no certificate in the PEM text") }
        guard identity.privateKey.contains("PRIVATE KEY-----") else {
            throw .certificate("no private key in the PEM text")
        }
        let trusted = try Self.trusted(configuration, own: own)
        let template = (getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp") + "/sip-tls-XXXXXX"
        var buffer = Array(template.utf8CString)
        guard mkdtemp(&buffer) != nil else { throw .certificate(String(cString: strerror(errno))) }
        path = String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try write(
            "agent.pem", ([own, identity.privateKey] + chain.dropFirst()).joined(separator: "\n") + "\n")
        if let problem = cs_certificate_problem("\(path)/agent.pem") {
            remove()
            throw .certificate(String(cString: problem))
        }
        try write("cafile.pem", trusted)
    }

    /// Where Debian keeps the certificates of the authorities it knows.
    private static let systemTrust = "/etc/ssl/certs/ca-certificates.crt"

    private static func trusted(_ configuration: SIPConfiguration, own: String) throws(SIPStartError) -> String {
        if let trust = configuration.trust {
            guard !certificates(in: trust).isEmpty else { throw .certificate("no certificate among those to trust") }
            return trust + "\n"
        }
        guard !configuration.listeners.contains(where: \.isTrusted) else {
            throw .certificate("a listener for trusted peers needs certificates to trust")
        }
        // The library takes no empty file; our own certificate vouches for nobody else.
        guard configuration.verifiesPeers, let text = read(systemTrust), text.contains("BEGIN CERTIFICATE") else {
            return own + "\n"
        }
        return text
    }

    private static func read(_ path: String) -> String? {
        guard let file = fopen(path, "r") else { return nil }
        defer { fclose(file) }
        var text: [UInt8] = []
        var buffer = [UInt8](repeating: 0, count: 65536)
        while case let count = fread(&buffer, 1, buffer.count, file), count > 0 { text += buffer[..<count] }
        return String(decoding: text, as: UTF8.self)
    }

    func remove() {
        for name in ["agent.pem", "cafile.pem"] { unlink("\(path)/\(name)") }
        rmdir(path)
    }

    private func write(_ name: String, _ text: String) throws(SIPStartError) {
        let file = open("\(path)/\(name)", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0o600)
        guard file >= 0 else { throw failure() }
        defer { close(file) }
        var rest = Array(text.utf8)[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(file, $0.baseAddress, $0.count) }
            guard count > 0 else { throw failure() }
            rest = rest.dropFirst(count)
        }
    }

    private func failure() -> SIPStartError {
        let error = SIPStartError.certificate(String(cString: strerror(errno)))
        remove()
        return error
    }

    /// Each certificate with its armour, in order.
    static func certificates(in text: String) -> [String] {
        let begin = "-----BEGIN CERTIFICATE-----"
        let end = "-----END CERTIFICATE-----"
        var found: [String] = []
        var current: [Substring]?
        for line in text.split(whereSeparator: \.isNewline) {
            if line.hasPrefix(begin) { current = [] }
            current?.append(line)
            if line.hasPrefix(end), let lines = current {
                found.append(lines.joined(separator: "\n"))
                current = nil
            }
        }
        return found
    }
}
