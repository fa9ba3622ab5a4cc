import CSofia
import Glibc

/// The directory that Sofia reads its certificate from, once at start: `agent.pem` holds the certificate and its key,
/// `cafile.pem` the rest of the chain. It exists only while the stack starts.
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
        let template = (getenv("TMPDIR").map { String(cString: $0) } ?? "/tmp") + "/sip-tls-XXXXXX"
        var buffer = Array(template.utf8CString)
        guard mkdtemp(&buffer) != nil else { throw .certificate(String(cString: strerror(errno))) }
        path = String(decoding: buffer.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
        try write("agent.pem", own + "\n" + identity.privateKey + "\n")
        if let problem = cs_certificate_problem("\(path)/agent.pem") {
            remove()
            throw .certificate(String(cString: problem))
        }
        // The library builds the chain it serves from what it trusts.
        try write("cafile.pem", (chain.count > 1 ? chain.dropFirst() : chain[...]).joined(separator: "\n") + "\n")
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
