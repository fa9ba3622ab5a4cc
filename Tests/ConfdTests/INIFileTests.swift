import Testing

@testable import confd

@Suite("INI text")
struct INIFileTests {
    private func parse(_ text: String) -> INIFile { INIFile(parsing: Array(text.utf8)) }

    @Test("sections and entries keep their line, blanks around names and values go")
    func lines() {
        let file = parse("\u{FEFF}; top\r\n[SIP]\r\n\r\n  listen = udp:1, tcp:2 \r\n[ Room a@b ] ; note\nTitle=x = y\n")
        #expect(
            file.sections == [
                .init(name: "SIP", line: 2, entries: [.init(key: "listen", value: "udp:1, tcp:2", line: 4)]),
                .init(name: "Room a@b", line: 5, entries: [.init(key: "Title", value: "x = y", line: 6)]),
            ])
        #expect(file.faults.isEmpty)
    }

    @Test(
        "a comment starts at the line's start, or with ; after a blank",
        arguments: [
            ("a = b ; c", "b"), ("a = b;c", "b;c"), ("a = b # c", "b # c"), ("a = \"b\"", "\"b\""), ("a = ; c", ""),
            ("a =", ""), ("a = b\t;c", "b"),
        ])
    func comments(line: String, value: String) {
        #expect(parse("[S]\n\(line)\n ; x = y\n# z = 1").sections.first?.entries.map(\.value) == [value])
    }

    @Test(
        "a line that can't be understood is a fault with its number",
        arguments: [
            ("x = 1", 1, "'x' stands before the first section; put it under one, such as [SIP]"),
            ("\n[SIP", 2, "a section needs its closing bracket: '[SIP]'"),
            ("[]", 1, "a section needs a name, such as [SIP]"),
            ("[SIP] x", 1, "'x' after the section's closing bracket"),
            ("[SIP]\nlisten", 2, "'listen' is neither '[section]' nor 'key = value'"),
            ("[SIP]\n= 3", 2, "a name is missing before '='"),
        ])
    func faults(text: String, line: Int, message: String) {
        #expect(parse(text).faults.map(\.line) == [line])
        #expect(parse(text).faults.map(\.text) == [message])
    }

    @Test("bytes that aren't UTF-8 are a fault of their line only")
    func encoding() {
        let file = INIFile(parsing: Array("[A]\nb = ".utf8) + [0xFF, 0x0A] + Array("c = d".utf8))
        #expect(file.faults == [.init(line: 2, section: "A", text: "this line is not UTF-8")])
        #expect(file.sections.first?.entries == [.init(key: "c", value: "d", line: 3)])
    }
}
