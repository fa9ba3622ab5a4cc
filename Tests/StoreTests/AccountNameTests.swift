import Testing

@testable import Store

@Suite("The name of an account")
struct AccountNameTests {
    @Test("the user part is as written, the domain in lower case; the last @ divides them")
    func names() throws {
        #expect("\(try AccountName("Alice@Example.COM"))" == "Alice@example.com")
        #expect(try AccountName("a@b@c").username == "a@b")
        #expect(try AccountName("bob@[2001:DB8:0::1]").domain == "2001:db8::1")
        #expect(try AccountName("six@[::1]") == AccountName("six@0:0:0:0:0:0:0:1"))
        #expect(try AccountName("bob@example.com.").domain == "example.com")
        #expect(try AccountName("ünï@xn--bcher-kva.example").username == "ünï")
    }

    @Test(
        "what can't be a name is refused",
        arguments: [
            "", "alice", "@example.com", "alice@", "al ice@example.com", "al:ice@example.com", "a\nb@example.com",
            "alice@exa mple.com", "alice@example.com\n", "alice@bücher.example", "a\0b@example.com", "alice@a/b",
            "alice@[]", "alice@[::1", "alice@::1]",
            String(repeating: "a", count: 129) + "@b", "a@" + String(repeating: "b", count: 256),
        ])
    func refused(text: String) {
        #expect(throws: StoreError.self) { try AccountName(text) }
    }
}
