import Testing

@testable import FileSpool

@Suite("Names of files")
struct FileNameTests {
    @Test(
        "RFC 5547 10: a name from the wire is made harmless",
        arguments: [
            ("picture.png", "picture.png"), ("Grüße aus 東京 🗼.jpg", "Grüße aus 東京 🗼.jpg"),
            ("../../etc/passwd", "passwd"), ("/etc/passwd", "passwd"), ("C:\\Users\\a\\x.txt", "x.txt"),
            ("a/b\\c", "c"), ("dir/", "dir"), ("evil.txt\0.exe", ".exe"), ("two\r\nlines", "twolines"),
            ("\u{1B}[31mred", "[31mred"), ("invoice\u{202E}gpj.exe", "invoicegpj.exe"),
            ("\u{2066}x\u{2069}", "x"), ("a\u{200B}b\u{FEFF}", "ab"), ("  spaced \t", "spaced"), (".", "file"),
            ("..", "file"), ("", "file"), ("///", "file"), ("\u{202E}", "file"), (" .. ", "file"), ("...", "..."),
            (".profile", ".profile"), ("x\u{FFFF}y\u{1FFFE}z", "xyz"), ("\u{7F}a\u{9F}", "a"),
        ])
    func harmless(name: String, expected: String) { #expect(FileName.harmless(name) == expected) }

    @Test("a long name keeps its extension and whole characters")
    func long() {
        let name = FileName.harmless(String(repeating: "é", count: 300) + ".jpeg")
        #expect(name.utf8.count == 255)
        #expect(name.hasSuffix("é.jpeg"))
        let flags = FileName.harmless(String(repeating: "🇩🇪", count: 100))
        #expect(flags == String(repeating: "🇩🇪", count: 31))
        #expect(FileName.harmless("x." + String(repeating: "e", count: 400)).utf8.count == 255)
    }

    @Test(
        "a media type is one, or nothing",
        arguments: [
            ("image/PNG", "image/png"), ("text/plain; charset=utf-8", "text/plain"), ("text", nil), ("/x", nil),
            ("a/b/c", nil), ("te xt/plain", nil), ("x/\u{1}", nil), ("", nil),
            ("application/vnd.a+xml", "application/vnd.a+xml"),
        ] as [(String, String?)])
    func types(text: String, expected: String?) { #expect(FileName.mediaType(text) == expected) }
}
