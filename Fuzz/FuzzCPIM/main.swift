import CFuzzDriver
import Payloads

/// Feeds octets to the CPIM, content type and multipart parsers, and checks what must hold of anything they accept.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzCPIM(_ data: UnsafePointer<UInt8>?, _ size: Int) -> CInt {
    let octets = Array(UnsafeBufferPointer(start: data, count: size))
    checkMessage(octets)
    checkType(octets)
    return 0
}

private func checkMessage(_ octets: [UInt8]) {
    guard let message = try? CPIMMessage(parsing: octets) else { return }
    precondition(message.contentOffset <= message.bodyOffset && message.bodyOffset <= octets.count)
    precondition(message.head.elementsEqual(octets[..<message.bodyOffset]), "the head is not what came")
    precondition(message.headers().elementsEqual(octets[..<message.contentOffset]), "headers changed")

    // Any beginning gives the same, or asks for more.
    let cut = octets.count / 2
    do {
        let early = try CPIMMessage(parsing: Array(octets[..<cut]), isWhole: false)
        precondition(early.from == message.from && early.to == message.to, "a beginning means something else")
        precondition(early.contentOffset == message.contentOffset)
    } catch { precondition(error == .incomplete, "a beginning is refused") }

    // A rewritten head carries what was put into it and keeps the rest.
    let rewritten = message.headers(
        replacing: [.from: [CPIMAddress(displayName: message.subject, uri: "sip:me@example.com").value]],
        adding: [("X-Added", message.subject ?? "")])
    do {
        let again = try CPIMMessage(parsing: rewritten + octets[message.contentOffset...])
        precondition(
            again.from.uri == "sip:me@example.com" && again.to == message.to, "rewriting changed the addresses")
        precondition(again.contentType == message.contentType || rewritten.count > 8_000)
        precondition(again.headers.count == message.headers.count + 1, "rewriting made another header")
    } catch { precondition(error == .tooLong || error == .tooManyHeaders, "what was rewritten does not parse") }

    for address in [message.from] + message.to + message.cc {
        precondition(CPIMAddress(parsing: Array(address.value.utf8)[...]) == address, "an address is not stable")
    }
    _ = (message.require, message.dateTime, message.value("imdn.Message-ID"))
}

private func checkType(_ octets: [UInt8]) {
    let line = octets.prefix { $0 != 10 && $0 != 13 && $0 != 0 }
    guard let type = ContentType(parsing: line) else { return }
    precondition(ContentType(parsing: type.value) == type, "a content type is not stable")
    guard let leaves = try? Multipart.leaves(of: Array(octets[line.endIndex...]), type: type) else { return }
    precondition(!leaves.isEmpty || type.type == "multipart")
    precondition(leaves.reduce(0) { $0 + $1.body.count } <= octets.count, "octets out of nowhere")
}

var arguments = CommandLine.argc
var values: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv
_ = LLVMFuzzerRunDriver(&arguments, &values) { fuzzCPIM($0, $1) }
