import CFuzzDriver
import Payloads

/// Feeds octets to the session description parser and to both sides of the negotiation, and checks what must hold of
/// anything they accept.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzSDP(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: size))
    guard let description = try? SessionDescription(parsing: octets) else { return 0 }
    let printed = description.serialized()
    guard let again = try? SessionDescription(parsing: printed) else { fatalError("what was printed does not parse") }
    precondition(again == description && again.serialized() == printed, "printing is not stable")
    checkAnswering(octets, description)
    checkOffering(octets)
    checkFiles(octets, description)
    return 0
}

private let path = "msrp://[2001:db8::1]:2855/ours;tcp"
private let digest = [UInt8](repeating: 7, count: 32)

private func checkAnswering(_ octets: [UInt8], _ description: SessionDescription) {
    var focus = MSRPNegotiation(
        local: LocalMedia(
            maxSize: 1, chatroom: ChatroomCapabilities(nicknames: true, privateMessages: true),
            fingerprints: [Fingerprint(hash: .sha256, digest: digest)]),
        originID: 1)
    let examination: MSRPNegotiation.Examination
    do { examination = try focus.examine(offer: octets) } catch {
        precondition(error.status == 400 || error.status == 488)
        return
    }
    precondition(examination.change == .initial && !examination.media.remoteURIs.isEmpty)
    precondition((examination.media.role == .active) == (examination.media.target != nil))
    let octetsOfAnswer = focus.answer(localPath: path)
    guard let answer = try? SessionDescription(parsing: octetsOfAnswer) else { fatalError("our answer does not parse") }
    precondition(answer.media.count == description.media.count, "an m= line is missing")
    for (index, medium) in answer.media.enumerated() {
        precondition((medium.port != 0) == (index == examination.media.mediaIndex), "wrong line accepted")
        precondition(medium.transport == description.media[index].transport)
    }
    precondition(octetsOfAnswer.count < 65_536)
    guard let refresh = try? focus.examine(offer: octets) else { fatalError("the same offer is refused now") }
    precondition(refresh.change == .unchanged && focus.answer() == octetsOfAnswer, "a refresh changes something")
    guard (try? SessionDescription(parsing: focus.makeOffer(localPath: path)))?.media.count == answer.media.count else {
        fatalError("our re-offer lost m= lines")
    }
}

private func checkOffering(_ octets: [UInt8]) {
    for cema in [false, true] {
        var focus = MSRPNegotiation(local: LocalMedia(), originID: 1)
        _ = focus.makeOffer(localPath: path, cema: cema)
        guard let accepted = try? focus.acceptAnswer(octets) else { continue }
        precondition(accepted.media.mediaIndex == 0 && focus.media == accepted.media)
        precondition((accepted.media.role == .active) == (accepted.media.target != nil))
    }
}

/// What is said of files, and both sides of their negotiation (RFC 5547).
private func checkFiles(_ octets: [UInt8], _ description: SessionDescription) {
    for line in description.media.flatMap(\.lines) where line.attributeName == "file-selector" {
        let value = Array(line.octets.dropFirst("file-selector:".utf8.count))
        guard let selector = FileSelector(parsing: value) else { continue }
        guard let again = FileSelector(parsing: Array(selector.value.utf8)) else {
            precondition(selector.value.utf8.count > FileSelector.octets, "what was written does not parse")
            continue
        }
        precondition(again == selector && again.agrees(with: selector), "a selector changes when it is written")
    }
    var focus = FileNegotiation(local: LocalMedia(maxSize: 1), originID: 1)
    guard let found = try? focus.examine(offer: octets), found.change == .initial else { return }
    precondition((found.media.direction == .recvonly) == found.isPush && !found.file.selector.isEmpty)
    let answered = focus.answer(localPath: path, selector: found.isPush ? nil : FileSelector(name: "x", size: 1))
    guard let answer = try? SessionDescription(parsing: answered) else { fatalError("our answer does not parse") }
    precondition(answer.media.count == description.media.count, "an m= line is missing")
    guard let refresh = try? focus.examine(offer: octets) else { fatalError("the same offer is refused now") }
    precondition(refresh.change == .unchanged && focus.answer() == answered, "a refresh changes something")
    guard (try? SessionDescription(parsing: focus.makeOffer(localPath: path)))?.media.count == answer.media.count else {
        fatalError("our re-offer lost m= lines")
    }
    var giver = FileNegotiation(local: LocalMedia(), originID: 1)
    _ = giver.makeOffer(localPath: path, file: found.file)
    if let taken = try? giver.acceptAnswer(octets) { precondition(giver.media == taken.media) }
}

var arguments = CommandLine.argc
var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
_ = LLVMFuzzerRunDriver(&arguments, &values) { fuzzSDP($0, $1) }
