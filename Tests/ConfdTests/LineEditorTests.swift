import Client
import Testing

@Suite("The line that is typed")
struct LineEditorTests {
    private func type(_ text: String, into editor: inout LineEditor) -> [LineEditor.Outcome] {
        text.utf8.map { editor.take($0) }.filter { $0 != .nothing && $0 != .changed }
    }

    @Test("keys, erasing, words, characters of several octets")
    func keys() {
        var editor = LineEditor()
        #expect(type("hallo\u{7F}\u{7F}", into: &editor) == [] && editor.text == "hal")
        #expect(type("l ö€\u{8}\n", into: &editor) == [.line("hall ö")])
        #expect(type("one two  \u{17}three\r", into: &editor) == [.line("one three")])
        #expect(type("gone\u{15}\u{15}here\n", into: &editor) == [.line("here")])
        #expect(type("a\u{4}b\n\u{4}", into: &editor) == [.line("ab"), .endOfInput])
    }

    @Test("cursor and function keys leave no traces")
    func escapes() {
        var editor = LineEditor()
        #expect(type("a\u{1B}[Ab\u{1B}[1;5Cc\u{1B}OPd\u{1B}[3~\u{1}\n", into: &editor) == [.line("abcd")])
    }

    @Test("the end of a long line is shown, in columns and not in characters")
    func shown() {
        var editor = LineEditor()
        _ = type("0123456789", into: &editor)
        #expect(editor.shown(columns: 80) == "0123456789" && editor.shown(columns: 5) == "6789")
        _ = type("漢字e\u{301}", into: &editor)
        #expect(editor.shown(columns: 6) == "漢字e\u{301}" && editor.shown(columns: 5) == "字e\u{301}")
    }
}
