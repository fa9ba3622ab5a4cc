import MSRP
import NIOCore
import Payloads
import SIP

// What the others say, what the room says, and who is typing.
extension ChatClient {
    func show(_ contentType: String, _ body: ByteBuffer) {
        guard let message = ChatMessage(contentType: contentType, body: body, me: options.identity) else {
            return notice("a message that is no message/cpim was skipped")
        }
        let isFromRoom = message.from.flatMap { SIPURI($0) }.map { $0.isSamePerson(as: room) } ?? false
        if isFromRoom, let line = message.roomLine { return show(line, message) }
        if let from = message.from, !message.isTyping { typers.said(from) }
        if message.isTyping { takeTyping(message) }
        defer { showTypers() }
        guard !message.isSilent else { return }
        if !isFromRoom { received += 1 }
        var shown = message
        if let joined, let seconds = message.seconds, seconds < joined { shown.isReplayed = true }
        if !message.isText { shown.attachment = attachments.add(type: message.contentType, content: message.content) }
        var time = console.clock().display
        if printer.style == .terminal {
            if let person = message.from.flatMap({ roster.person(at: $0) }), person.nickname != nil {
                shown.displayName = person.name
            }
            if shown.isReplayed, let seconds = shown.seconds { time = console.moment(seconds) }
        }
        output(printer.line(for: shown, clock: time))
    }

    /// What the room itself says. Who watches the roster knows most of it already, and better.
    private func show(_ line: RoomLine, _ message: ChatMessage) {
        let text = message.text
        if line.event == .file, let file = line.file {
            let (entry, isNew) = files.add(file, told: message.seconds)
            guard isNew else { return }
            if printer.style == .json { return output(printer.event(entry)) }
            return notice(announcement(of: entry))
        }
        if printer.style == .json { return output(printer.event(line, text: text, time: message.dateTime)) }
        switch line.event {
        case .joined, .left, .subject, .nickname:
            if !roster.isKnown || subscription.isOver { notice(text) }
        case .welcome, .file, .congestion, .history, nil: notice(text)
        }
    }

    /// `alice put report.pdf into the room (application/pdf, 1.2 MB); /get 3`
    func announcement(of entry: RoomFiles.Entry) -> String {
        let facts = [entry.file.type, entry.file.size.map(TransferProgress.bytes)].compactMap { $0 }
        let text =
            "\(entry.file.sender.map(name) ?? "somebody") put \(FileName.sanitised(entry.file.name)) into the room"
            + (facts.isEmpty ? "" : " (\(facts.joined(separator: ", ")))") + "; /get \(entry.number)"
        return text.withoutControls(keepingLines: false)
    }

    /// What somebody is called, as far as the server tells.
    func name(of uri: String) -> String {
        roster.person(at: uri)?.name ?? SIPURI(uri)?.user ?? uri
    }

    // MARK: Typing

    private func takeTyping(_ message: ChatMessage) {
        guard options.showsTyping, let from = message.from, let notice = TypingNotice(parsing: message.content),
            SIPURI(from).map({ !$0.isSamePerson(as: options.identity) }) ?? true
        else { return }
        let person = roster.person(at: from)?.name ?? message.displayName ?? name(of: from)
        typers.received(
            isActive: notice.isActive, from: from, name: person.withoutControls(keepingLines: false),
            refresh: notice.refresh, now: now)
    }

    func showTypers() {
        let text = phase == .chatting ? typers.text : nil
        if text != typersText { console.status(.typing(text)) }
        typersText = text
        watchTyping()
    }

    private func watchTyping() {
        guard !awaitsTyping, phase == .chatting, typersText != nil || typing.isTyping else { return }
        awaitsTyping = true
        after(.seconds(1), .typingDue)
    }

    /// Tells the others whether the user is typing, where the room takes such notices.
    func tell(_ notice: TypingTeller.Notice?) async {
        defer { watchTyping() }
        guard let notice, options.showsTyping, phase == .chatting, let media, media.format == .cpim,
            media.wrappedTypes.allows(TypingNotice.contentType)
        else { return }
        let document = TypingNotice(
            isActive: notice == .active, refresh: notice == .active ? TypingTeller.refresh : nil
        ).document
        let body = wrapped(Array(document.utf8), type: TypingNotice.contentType, to: room)
        if let session {
            _ = try? await session.onLoop {
                $0.send(contentType: "message/cpim", body: body, wantsReport: false, isFleeting: true)
            }
        }
    }
}
