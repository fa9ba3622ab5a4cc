internal import ArgumentParser
internal import Client
internal import Logging
internal import Store

#if canImport(Glibc)
    internal import Glibc
#endif

/// How a client command trusts the servers it connects to.
struct LinkArguments: ParsableArguments {
    @Flag(name: .customLong("no-tls"), help: "Plain TCP; relays take AUTH over it only while they are being tested.")
    var noTLS = false

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Trust the authorities in this PEM file rather than those of the system; a self-signed certificate is its "
                + "own.", valueName: "file"))
    var trust: String?

    @Flag(help: "Take any certificate. Who sits on the way can then read along.")
    var noVerify = false

    @Flag(name: .shortAndLong, help: "Log what the client does to standard error.")
    var verbose: Int

    var security: LinkSecurity { LinkSecurity(usesTLS: !noTLS, verifies: !noVerify, trustFile: trust) }

    func logger(label: String) -> Logger {
        let level: Logger.Level = verbose == 0 ? .critical : verbose == 1 ? .debug : .trace
        return Logger(label: label) { _ in LineLogHandler(label: label, level: level) }
    }
}

/// Where a relay user's password comes from.
struct PasswordArguments: ParsableArguments {
    /// A password is not longer; the file is not read further.
    private static let longest = 1024

    @ArgumentParser.Option(
        help: ArgumentHelp(
            "Read the password from the first line of this file; else it is CONFD_PASSWORD of the environment, else "
                + "it is asked for on the terminal.", valueName: "file"))
    var passwordFile: String?

    func password(of user: RelayUser) throws(ClientError) -> String {
        if let passwordFile { return try read(passwordFile) }
        if let text = getenv("CONFD_PASSWORD").map({ String(cString: $0) }), !text.isEmpty { return text }
        guard isatty(STDIN_FILENO) == 1 else {
            throw .usage("no password for \(user): give --password-file FILE or set CONFD_PASSWORD")
        }
        do throws(StoreError) {
            return try AccountPassword.prompt("Password for \(user): ")
        } catch {
            throw .usage("\(error)")
        }
    }

    private func read(_ path: String) throws(ClientError) -> String {
        guard let stream = fopen(path, "re") else {
            throw .usage("can't read --password-file \(path): \(String(cString: strerror(errno)))")
        }
        defer { fclose(stream) }
        var octets = [UInt8](repeating: 0, count: Self.longest)
        octets.removeLast(octets.count - fread(&octets, 1, octets.count, stream))
        let line = octets.prefix { $0 != UInt8(ascii: "\n") && $0 != UInt8(ascii: "\r") }
        guard let text = String(validating: line, as: UTF8.self), !text.isEmpty else {
            throw .usage("the first line of \(path) is no password")
        }
        return text
    }
}

/// The user's own relays.
enum RelayArguments {
    static func addresses(_ texts: [String]) throws(ClientError) -> [RelayAddress] {
        var result: [RelayAddress] = []
        for text in texts {
            guard let address = RelayAddress(text) else {
                throw .usage("--relay '\(text)' is not host:port, such as relay.example.com:2855")
            }
            result.append(address)
        }
        return result
    }

    static func user(_ text: String, option: String) throws(ClientError) -> RelayUser {
        guard let user = RelayUser(text) else {
            throw .usage("\(option) '\(text)' is not user@domain, such as alice@example.com")
        }
        return user
    }
}
