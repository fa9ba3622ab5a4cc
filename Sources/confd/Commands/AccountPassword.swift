internal import Store

#if canImport(Glibc)
    internal import Glibc
#endif

/// Asks for a new password: twice and without echo on a terminal, else as one line of standard input.
enum AccountPassword {
    static let longest = 1024

    static func ask(for account: AccountName) throws(StoreError) -> String {
        guard isatty(STDIN_FILENO) == 1 else {
            guard let line = try line() else {
                throw StoreError("standard input ended before there was a password; nothing was changed")
            }
            return try check(line)
        }
        let password = try check(try prompt("Password for \(account): "))
        let again = try prompt("The same again: ")
        guard again.utf8.elementsEqual(password.utf8) else {
            throw StoreError("the passwords are not the same; nothing was changed")
        }
        return password
    }

    private static func check(_ password: String) throws(StoreError) -> String {
        guard !password.isEmpty else { throw StoreError("the password is empty; nothing was changed") }
        guard !password.utf8.contains(0) else {
            throw StoreError("a password can't have a NUL character; nothing was changed")
        }
        return password
    }

    private static let tooLong = StoreError("a password has at most \(longest) bytes; nothing was changed")

    // MARK: Standard input

    /// Up to the end of the line, without it; nil at the end of the input.
    private static func line() throws(StoreError) -> String? {
        var bytes: [UInt8] = []
        var hasEnded = false
        while let byte = try nextByte() {
            hasEnded = byte == UInt8(ascii: "\n")
            if hasEnded { break }
            bytes.append(byte)
            // The carriage return of a line end is not counted yet.
            guard bytes.count <= longest + 1 else { throw tooLong }
        }
        if bytes.isEmpty, !hasEnded { return nil }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        guard bytes.count <= longest else { throw tooLong }
        return try text(bytes)
    }

    private static func nextByte() throws(StoreError) -> UInt8? {
        var byte: UInt8 = 0
        while true {
            let count = read(STDIN_FILENO, &byte, 1)
            if count == 1 { return byte }
            if count == 0 { return nil }
            guard errno == EINTR || errno == EAGAIN else {
                throw StoreError("standard input can't be read: \(String(cString: strerror(errno)))")
            }
            if errno == EAGAIN {
                var wait = pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0)
                poll(&wait, 1, -1)
            }
        }
    }

    private static func text(_ bytes: [UInt8]) throws(StoreError) -> String {
        guard let text = String(validating: bytes, as: UTF8.self) else {
            throw StoreError("the password is not UTF-8 text; nothing was changed")
        }
        return text
    }

    // MARK: The terminal

    /// Reads a line key by key, so that Ctrl-C finds the terminal put right again.
    static func prompt(_ text: String) throws(StoreError) -> String {
        var before = termios()
        guard tcgetattr(STDIN_FILENO, &before) == 0 else {
            throw StoreError("the terminal's echo can't be switched off; pass the password through standard input")
        }
        var silent = before
        silent.c_lflag &= ~tcflag_t(ECHO | ICANON | ISIG)
        guard tcsetattr(STDIN_FILENO, TCSAFLUSH, &silent) == 0 else {
            throw StoreError("the terminal's echo can't be switched off; pass the password through standard input")
        }
        StandardTerminal.write(text)
        defer {
            tcsetattr(STDIN_FILENO, TCSADRAIN, &before)
            StandardTerminal.write("\n")
        }
        var bytes: [UInt8] = []
        while let key = try nextByte() {
            switch key {
            case 0x0A, 0x0D: return try self.text(bytes)
            case 0x03, 0x1C: throw StoreError("interrupted; nothing was changed")
            case 0x04:
                if bytes.isEmpty { throw StoreError("there was no password; nothing was changed") }
            case 0x08, 0x7F:
                // A character of UTF-8 is one key.
                while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
            case 0x15: bytes = []
            default:
                guard bytes.count < longest else { throw tooLong }
                bytes.append(key)
            }
        }
        throw StoreError("the terminal is gone; nothing was changed")
    }
}

/// What is shown to the person at the keyboard: standard output may be a file.
private enum StandardTerminal {
    static func write(_ text: String) {
        var text = text
        text.withUTF8 { _ = Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }
}
