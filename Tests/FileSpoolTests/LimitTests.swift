import FileSpool
import Testing

@Suite("Spool limits")
struct LimitTests {
    @Test("files are kept for a week by default")
    func age() { #expect(SpoolLimits().age == 604_800) }
}
