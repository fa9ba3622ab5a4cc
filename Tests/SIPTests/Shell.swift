import Glibc

/// Starts a program found in PATH with the given descriptors; its standard error is dropped.
func spawn(_ arguments: [String], input: Int32, output: Int32) throws -> pid_t {
    var actions = posix_spawn_file_actions_t()
    posix_spawn_file_actions_init(&actions)
    defer { posix_spawn_file_actions_destroy(&actions) }
    posix_spawn_file_actions_adddup2(&actions, input, 0)
    posix_spawn_file_actions_adddup2(&actions, output, 1)
    posix_spawn_file_actions_addopen(&actions, 2, "/dev/null", O_WRONLY, 0)
    var pointers: [UnsafeMutablePointer<CChar>?] = arguments.map { argument in strdup(argument) }
    defer { for pointer in pointers { free(pointer) } }
    pointers.append(nil)
    var child = pid_t()
    let failure = posix_spawnp(&child, arguments[0], &actions, nil, pointers, environ)
    guard failure == 0 else { throw Peer.Failure.socket("\(arguments[0]): \(String(cString: strerror(failure)))") }
    return child
}

/// What a shell command prints.
func shell(_ command: String) -> String {
    guard let pipe = popen("{ \(command); } 2>&1", "r") else { return "" }
    defer { pclose(pipe) }
    var text: [UInt8] = []
    var buffer = [UInt8](repeating: 0, count: 65536)
    while true {
        let count = fread(&buffer, 1, buffer.count, pipe)
        guard count > 0 else { break }
        text += buffer[..<count]
    }
    return String(decoding: text, as: UTF8.self)
}

/// Certificates made by openssl in a directory of their own.
enum Certificates {
    /// A self-signed certificate and its key.
    static func selfSigned() -> SIPConfigurationIdentity {
        let directory = shell("mktemp -d").split(separator: "\n").first.map(String.init) ?? "/tmp"
        defer { _ = shell("rm -rf '\(directory)'") }
        _ = shell(
            """
            cd '\(directory)' && openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 3 \
            -subj /CN=127.0.0.1 -addext subjectAltName=IP:127.0.0.1 -keyout key.pem -out cert.pem
            """)
        return (shell("cat '\(directory)/cert.pem'"), shell("cat '\(directory)/key.pem'"))
    }

    /// leaf, intermediate, root: the chain file holds leaf and intermediate.
    static func chain() -> (identity: SIPConfigurationIdentity, root: String) {
        let directory = shell("mktemp -d").split(separator: "\n").first.map(String.init) ?? "/tmp"
        defer { _ = shell("rm -rf '\(directory)'") }
        _ = shell(
            """
            cd '\(directory)'
            new="-newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes"
            openssl req -x509 $new -days 3 -subj /CN=Root -keyout root.key -out root.pem
            openssl req $new -subj /CN=Middle -keyout middle.key -out middle.csr
            printf 'basicConstraints=critical,CA:TRUE\\nkeyUsage=keyCertSign\\n' > ca.ext
            openssl x509 -req -in middle.csr -CA root.pem -CAkey root.key -CAcreateserial -days 3 -extfile ca.ext -out middle.pem
            openssl req $new -subj /CN=leaf.example.com -keyout leaf.key -out leaf.csr
            openssl x509 -req -in leaf.csr -CA middle.pem -CAkey middle.key -CAcreateserial -days 3 -out leaf.pem
            """)
        return (
            (shell("cat '\(directory)/leaf.pem' '\(directory)/middle.pem'"), shell("cat '\(directory)/leaf.key'")),
            shell("cat '\(directory)/root.pem'")
        )
    }
}

typealias SIPConfigurationIdentity = (chain: String, key: String)
