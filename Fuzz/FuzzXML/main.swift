import CFuzzDriver
import Payloads

/// Feeds octets to the readers of conference information, resource lists and presence rules, and checks what must hold of
/// anything they accept.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzXML(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: size))
    guard let document = try? XMLDocument(parsing: octets) else {
        precondition((try? ConferenceInfo(parsing: octets)) == nil, "a document out of no document")
        return 0
    }
    precondition(depth(document.root) <= XMLLimits().depth)
    checkInfo(octets)
    checkList(octets)
    checkRules(octets)
    return 0
}

private func depth(_ element: XMLElement) -> Int { 1 + (element.children.map(depth).max() ?? 0) }

/// What is written can be read, and is then written as it was.
private func checkInfo(_ octets: [UInt8]) {
    guard let info = try? ConferenceInfo(parsing: octets) else { return }
    let written = info.xml()
    guard written.count <= XMLLimits().octets else { return }
    do {
        let again = try ConferenceInfo(parsing: written)
        precondition(again.entity == info.entity || again.xml() == written, "the entity is not stable")
        let third = try ConferenceInfo(parsing: again.xml())
        precondition(third == again, "a document is not stable")
        precondition(again.users?.list.count == info.users?.list.count || info.users == nil, "users come or go")
    } catch {
        precondition(error == .attributes || error == .tooManyElements, "what was written is not read: \(error)")
    }
    var tracker = ConferenceTracker()
    _ = tracker.receive(info)
    var later = info
    later.version = (info.version ?? 0) &+ 1
    later.state = .partial
    _ = tracker.receive(later)
    precondition((tracker.info?.users?.list.count ?? 0) <= 2 * (info.users?.list.count ?? 0))
}

private func checkList(_ octets: [UInt8]) {
    guard let list = try? ResourceList(parsing: octets) else { return }
    guard let flat = try? list.flattened(maximum: 100, part: { $0.isEmpty ? octets : list.xml() }) else { return }
    precondition(flat.recipients.count <= 100)
    let twice = try? ResourceList(
        flat.recipients.map { .init(uri: $0.uri, copy: $0.copy, isAnonymized: $0.isAnonymized) }
    ).flattened(maximum: 100)
    precondition(twice?.recipients.map(\.uri) == flat.recipients.map(\.uri), "a recipient is there twice")
    guard let history = ResourceList.history(of: flat.recipients) else { return }
    let read = try? ResourceList(parsing: history.xml())
    precondition(read != nil || history.xml().count > 4096, "a history is not read")
    let hidden = flat.recipients.filter { $0.copy == .bcc }.map(\.uri)
    for list in history.lists {
        for case .entry(let entry) in list.items {
            precondition(entry.copy != .bcc && (entry.uri == ResourceList.anonymousURI || !hidden.contains(entry.uri)))
        }
    }
}

private func checkRules(_ octets: [UInt8]) {
    guard let rules = try? PresenceRules(parsing: octets) else { return }
    let people = ["sip:alice@example.com", "eve@[::1]", "tel:+1", nil]
    let decisions = people.map { rules.decide(identity: $0, now: 1_000_000_000) }
    guard let again = try? PresenceRules(parsing: rules.xml()) else {
        precondition(rules.xml().count > 4096, "rules that were written are not read")
        return
    }
    precondition(people.map { again.decide(identity: $0, now: 1_000_000_000) } == decisions, "rules are not stable")
}

var arguments = CommandLine.argc
var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
_ = LLVMFuzzerRunDriver(&arguments, &values) { fuzzXML($0, $1) }
