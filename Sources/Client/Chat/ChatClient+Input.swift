import MSRP
import NIOCore
import Payloads
import SIP

// What the user wants, and what goes to the room for it.
extension ChatClient {
    func obey(_ input: ChatInput) async {
        switch input {
        case .nothing:
            break
        case .say(let text):
            await send(text, to: room)
        case .privately(let to, let text):
            guard media?.chatroom?.privateMessages == true else {
                return notice("this room can't carry private messages yet")
            }
            guard let receiver = address(of: to) else { return }
            await send(text, to: receiver)
        case .nick(let name):
            guard media?.chatroom?.nicknames == true else { return notice("this room can't set nicknames yet") }
            if let session { try? await session.onLoop { $0.requestNickname(name) } }
        case .who:
            showParticipants()
        case .subject(let text):
            await setSubject(text)
        case .invite(let who):
            await refer(who, method: nil)
        case .kick(let who):
            if let uri = address(of: who) { await refer(uri.description, method: "BYE") }
        case .send(let path): await sendFile(path)
        case .image(let path): showPicture(path)
        case .files: showFiles()
        case .get(let number, let path): await getFile(number, path: path)
        case .save(let number, let path): save(number, path)
        case .cancel: await cancelFiles()
        case .quit:
            inputEnded = true
            waitIsOver = true
            if let transfer { notice("leaving when \(transfer.name) is through; Ctrl-C leaves at once") }
        case .help:
            notices("commands:")
            for line in ChatInput.helpText.split(separator: "\n") { notices("  \(line)") }
        case .wrong(let text):
            notices(text)
        }
    }

    /// Who is meant by a nickname, a name or an address; somebody who isn't in the roster is addressed as he is written.
    private func address(of who: String) -> SIPURI? {
        switch roster.find(who) {
        case .one(let person):
            if let uri = SIPURI(person.uri) { return uri }
        case .several(let people):
            let addresses = people.prefix(5).map(\.uri).joined(separator: ", ")
            notices("'\(who)' may be one of \(addresses): give the address")
            return nil
        case .none: break
        }
        if let uri = ChatAddress.uri(of: who, domain: options.identity.host) { return uri }
        notices("'\(who)' is nobody here, and not an address")
        return nil
    }

    private func send(_ text: String, to receiver: SIPURI) async {
        typing.said()
        let contentType = "text/plain;charset=UTF-8"
        guard media?.format == .cpim else {
            return await send(ByteBuffer(string: text), contentType: contentType)
        }
        await send(wrapped(Array(text.utf8), type: contentType, to: receiver), contentType: "message/cpim")
    }

    func wrapped(_ content: [UInt8], type: String, to receiver: SIPURI) -> ByteBuffer {
        var body = ByteBuffer()
        body.writeBytes(
            CPIMWrapper.head(
                from: CPIMAddress(uri: options.identity.description), to: [CPIMAddress(uri: receiver.description)],
                dateTime: console.clock().dateTime, contentType: type))
        body.writeBytes(content)
        return body
    }

    func send(_ message: ByteBuffer, contentType: String) async {
        let usesRelay = options.relay != nil
        guard let session,
            let id = try? await session.onLoop({
                $0.send(contentType: contentType, body: message, wantsReport: usesRelay)
            })
        else { return undelivered(because: "it can't be sent") }
        if usesRelay {
            if unreported.count >= Self.window { unreported.removeFirst() }
            unreported.append(id)
        }
        outstanding[id] = message.readableBytes
        outstandingOctets += message.readableBytes
    }
}
