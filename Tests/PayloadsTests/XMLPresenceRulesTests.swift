import Testing

@testable import Payloads

@Suite("Presence rules, RFC 5025 and 4745")
struct XMLPresenceRulesTests {
    private func rules(_ content: String) throws -> PresenceRules {
        try PresenceRules(
            parsing: Array(
                """
                <ruleset xmlns="urn:ietf:params:xml:ns:common-policy" xmlns:pr="urn:ietf:params:xml:ns:pres-rules"
                 xmlns:ocp="urn:oma:xml:xdm:common-policy">\(content)</ruleset>
                """.utf8))
    }

    private func rule(_ conditions: String, _ handling: String = "allow") -> String {
        "<rule id='r'><conditions>\(conditions)</conditions>"
            + "<actions><pr:sub-handling>\(handling)</pr:sub-handling></actions><transformations/></rule>"
    }

    /// Each person, as decided at a moment; nil is somebody anonymous.
    private func allowed(
        _ conditions: String, _ people: [String?] = ["alice@example.com", "bob@example.com", "eve@evil.example", nil],
        now: Int64 = 0
    ) throws -> [String] {
        let rules = try rules(rule(conditions))
        return people.filter { rules.decide(identity: $0, now: now) == .allow }.map { $0 ?? "anonymous" }
    }

    @Test("without rules, and without conditions (RFC 4745 section 7.1.1)")
    func noConditions() throws {
        #expect(try rules("").decide(identity: "sip:alice@example.com", now: 0) == .block)
        #expect(try allowed("") == ["alice@example.com", "bob@example.com", "eve@evil.example", "anonymous"])
        #expect(try rules("<rule id='a'/>").decide(identity: nil, now: 0) == .block)
    }

    @Test(
        "identity conditions (RFC 4745 sections 7.1.2 and 7.1.3)",
        arguments: [
            ("<one id='sip:alice@example.com'/>", ["alice@example.com"]),
            ("<one id='sip:alice@EXAMPLE.com;transport=tcp'/>", ["alice@example.com"]),
            ("<one id='sip:Alice@example.com'/>", []),
            ("<one id='tel:+1'/><one id='sip:bob@example.com'/>", ["bob@example.com"]),
            ("<many/>", ["alice@example.com", "bob@example.com", "eve@evil.example"]),
            ("<many domain='example.com'/>", ["alice@example.com", "bob@example.com"]),
            ("<many domain='Example.COM'><except id='sip:bob@example.com'/></many>", ["alice@example.com"]),
            ("<many><except domain='example.com'/></many>", ["eve@evil.example"]),
            ("<many><except domain='example.com'/><except id='sip:eve@evil.example'/></many>", []),
            ("<many domain='ample.com'/>", []),
            (
                "<many domain='example.com'/><one id='sip:eve@evil.example'/>",
                ["alice@example.com", "bob@example.com", "eve@evil.example"]
            ),
            ("", []), ("<ocp:other-identity/>", []), ("<many><ocp:except/></many>", []),
        ])
    func identities(identity: String, expected: [String]) throws {
        #expect(try allowed("<identity>\(identity)</identity>") == expected)
    }

    @Test("identities are compared as URIs, of IPv6 hosts and other schemes too (RFC 5025 section 3.1.1.2)")
    func identityForms() throws {
        let rules = try rules(
            rule("<identity><one id='sip:a@[::1]'/><one id='tel:+1-201-555-0123'/><many domain='[::2]'/></identity>"))
        for (identity, handling) in [
            ("a@[::1]", PresenceRules.Handling.allow), ("sip:a@[::1]", .allow), ("sips:a@[::1]", .allow),
            ("a@[::3]", .block),
            ("tel:+12015550123", .allow), ("sip:+12015550123@h", .block), ("x@[::2]", .allow),
            ("sip:x@[::2]:5070", .allow),
            ("", .block), ("@", .block), (":", .block),
        ] {
            #expect(rules.decide(identity: identity, now: 0) == handling, "\(identity)")
        }
    }

    @Test("the period is from its first moment to before its last, any of several (RFC 4745 section 7.4)")
    func validity() throws {
        let periods =
            "<validity><from>1970-01-01T00:00:10Z</from><until>1970-01-01T01:00:20+01:00</until>"
            + "<from>1970-01-01T00:01:00Z</from><until>1970-01-01T00:02:00Z</until></validity>"
        for (now, isAllowed) in [
            (9, false), (10, true), (19, true), (20, false), (60, true), (119, true), (120, false),
        ] {
            #expect(try allowed(periods, [nil], now: Int64(now)).isEmpty == !isAllowed)
        }
        #expect(try allowed("<validity/>") == [])
    }

    @Test("all conditions must hold; one that is not known, or a sphere, never does (RFC 4745 sections 6 and 7.3)")
    func conditions() throws {
        let alice = "<identity><one id='sip:alice@example.com'/></identity>"
        #expect(try allowed("\(alice)<identity><many domain='example.com'/></identity>") == ["alice@example.com"])
        #expect(try allowed("\(alice)<identity><one id='sip:bob@example.com'/></identity>") == [])
        #expect(try allowed("\(alice)<sphere value='work home'/>") == [])
        #expect(try allowed("<ocp:anonymous-request/>") == [])
    }

    @Test("the most permissive of the rules that apply decides (RFC 5025 section 3.2.1, RFC 4745 section 10.2)")
    func combining() throws {
        for (handlings, expected) in [
            (["block"], PresenceRules.Handling.block), (["block", "confirm"], .confirm),
            (["polite-block", "confirm"], .politeBlock),
            (["confirm", "allow", "polite-block", "block"], .allow),
        ] {
            let rules = try rules(handlings.map { rule("", $0) }.joined() + rule("<sphere value='x'/>", "allow"))
            #expect(rules.decide(identity: nil, now: 0) == expected)
        }
    }

    @Test(
        "documents with values that are none are refused",
        arguments: [
            ("<rule id='a'><actions><pr:sub-handling>maybe</pr:sub-handling></actions></rule>", "sub-handling"),
            ("<rule id='a'><conditions><identity><one/></identity></conditions></rule>", "one without id"),
            ("<rule id='a'><conditions><identity><many><except/></many></identity></conditions></rule>", "except"),
            (
                "<rule id='a'><conditions><validity><until>1970-01-01T00:00:00Z</until></validity></conditions></rule>",
                "validity"
            ),
            (
                "<rule id='a'><conditions><validity><from>1970-01-01T00:00:00Z</from></validity></conditions></rule>",
                "validity"
            ),
            ("<rule id='a'><conditions><validity><from>soon</from></validity></conditions></rule>", "from"),
        ])
    func unexpected(content: String, part: String) {
        #expect(throws: XMLError.unexpected(part)) { try rules(content) }
    }

    @Test("what is written says the same, what is not understood included")
    func roundTrip() throws {
        let read = try rules(
            rule(
                "<identity><one id='sip:alice@example.com'/><many domain='d'><except id='sip:b@d'/></many></identity>",
                "confirm")
                + rule("<validity><from>2003-08-15T10:20:00Z</from><until>2003-09-15T10:20:00Z</until></validity>")
                    + """
                    <rule id="&lt;x&gt;"><conditions><sphere value="work"/><ocp:unknown ocp:a="1">t<ocp:b/></ocp:unknown></conditions>
                    <actions><ocp:allow-invite>ask</ocp:allow-invite></actions>
                    <transformations><pr:provide-services><pr:all-services/></pr:provide-services></transformations></rule>
                    """)
        let again = try PresenceRules(parsing: read.xml())
        #expect(again == read || again.rules.map(\.conditions) == read.rules.map(\.conditions))
        #expect(again.rules.last?.kept.map(\.name) == ["allow-invite", "transformations"])
        #expect(try PresenceRules(parsing: again.xml()) == again)
    }

    @Test("the document of ad-hoc rooms allows everybody")
    func allowAll() throws {
        let rules = try PresenceRules(parsing: PresenceRules.allowAll.xml())
        #expect(rules == .allowAll)
        #expect(rules.decide(identity: nil, now: 0) == .allow && rules.decide(identity: "a@b", now: 0) == .allow)
    }
}
