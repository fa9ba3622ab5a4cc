/// What is wrong with a certificate or key file, worded for the operator who configured it.
package enum CertificateError: Error, Equatable, Sendable, CustomStringConvertible {
    case notFound(file: String)
    case unreadable(file: String, reason: String)
    case unwritable(file: String, reason: String)
    case notACertificate(file: String)
    case notAKey(file: String)
    /// The key is not that of the first certificate of the file.
    case keyMismatch(keyFile: String, certificateFile: String)
    case generationFailed(GnuTLSCode)
    /// GnuTLS refuses to present or trust it.
    case unusable(GnuTLSCode)

    package var description: String {
        switch self {
        case .notFound(let file): "file '\(file)' not found"
        case .unreadable(let file, let reason): "file '\(file)' cannot be read: \(reason)"
        case .unwritable(let file, let reason): "file '\(file)' cannot be written: \(reason)"
        case .notACertificate(let file): "file '\(file)': not a PEM certificate"
        case .notAKey(let file): "file '\(file)': not a PEM private key (or it is encrypted)"
        case .keyMismatch(let key, let certificate):
            "key does not belong to the certificate ('\(key)', '\(certificate)')"
        case .generationFailed(let code): "certificate could not be generated: \(code)"
        case .unusable(let code): "certificate cannot be used: \(code)"
        }
    }
}
