import Logging
import MSRP
import MSRPTransport
import NIOCore
import Payloads

/// A chat room: its members, in the order in which they came, and the delivery of what they say.
///
/// Confined to the mixer's loop. Nothing calls back during a delivery, since bytes are only written and connections
/// only closed by the transport's scheduler when the turn ends.
final class Room {
    let mixer: Mixer
    let address: RoomAddress
    var terms: RoomTerms {
        didSet {
            termsChanged(from: oldValue)
            history.follow(terms)
        }
    }
    private(set) var members: [Member] = []
    var state: RoomState
    let history: RoomHistory
    var earlierMessages = EarlierMessages()
    /// What nobody may call itself; made when it is first asked for.
    private var reservedNicknames: [Nickname]?
    /// Everybody is leaving: nobody is left to tell.
    var isClosing = false
    /// How many members hold senders up.
    private var slowMembers = 0
    /// Senders nobody reads from until slow receivers have caught up.
    private var pausedSenders: [(member: Member, since: NIODeadline)] = []
    /// Accepted and not passed on yet.
    private var turn = Turn()
    /// The order in which the last turn was passed on.
    private var isBackward = false
    var answers = AnswerGathering()

    init(mixer: Mixer, terms: RoomTerms) {
        self.mixer = mixer
        address = terms.address
        self.terms = terms
        history = RoomHistory(mixer: mixer, terms: terms)
        state = RoomState(quarantine: mixer.configuration.nicknameQuarantine)
    }

    /// What the room's policy lets a participant do; asked when they come and when the room changes, not per message.
    func rights(of request: JoinRequest) -> MemberRights { MemberRights(request, in: terms) }

    var rules: JoinRules { JoinRules(terms.configuration, limits: mixer.configuration) }

    private func termsChanged(from old: RoomTerms) {
        reservedNicknames = nil
        for member in members {
            member.rights = rights(of: member.request)
            member.noteTerms()
            member.noteMaximumSize()
        }
        if terms.condition.subject != old.condition.subject { tellSubject() }
    }

    func sessionConfiguration(format: PeerMedia.Format) -> EndpointSession.Configuration {
        var configuration = mixer.sessionConfiguration(format: format)
        configuration.maxMessageSize = maximumMessageSize
        // What was accepted is passed on, a little longer if it was wrapped here.
        configuration.maxOutgoingSize = .max
        return configuration
    }

    /// Octets of the largest message.
    var maximumMessageSize: Int {
        min(max(0, terms.configuration.maximumMessageSize ?? .max), mixer.configuration.maximumMessageSize)
    }

    /// - Parameter replaced: whose place it takes, with the nickname (RFC 3891).
    func add(_ member: Member, replacing replaced: MemberID? = nil) {
        passOn()
        members.append(member)
        let request = member.request
        // Who hides its name has no other one here (RFC 7701 section 6.1).
        let person = RoomState.Person(
            uri: member.uri, aliases: request.isAnonymous ? [] : request.aliases, displayName: member.displayName,
            account: request.account)
        state.add(member.id, person, replacing: replaced)
        member.nickname = state.nickname(of: member.id)
    }

    func remove(_ member: Member) {
        passOn()
        members.removeAll { $0 === member }
        state.remove(member.id, now: mixer.now)
        pausedSenders.removeAll { $0.member === member }
        resumeSendersIfPossible()
    }

    // MARK: Messages

    /// Passes an accepted message on.
    /// - Returns: what its sender is answered.
    func accept(_ envelope: Envelope, for audience: ChatSessionState.Audience, from sender: Member) -> Status {
        let fanout = Fanout(envelope, mixer: mixer)
        let now = mixer.now
        switch audience {
        case .room:
            history.number(fanout, isPrivate: false)
            distribute(fanout, from: sender, now: now)
            mixer.counters.deliveries &+= UInt64(members.count &- 1)
            history.keep(fanout, from: sender)
        case .participant(let uri):
            let status = deliver(fanout, privatelyTo: uri, from: sender)
            if status != .ok { return status }
        }
        if slowMembers > 0 { pause(sender, now: now) }
        return .ok
    }

    /// To every device of the receiver that takes private messages (RFC 7701 section 6.2).
    private func deliver(_ fanout: Fanout, privatelyTo uri: String, from sender: Member) -> Status {
        switch privateReceivers(uri, from: sender, isEphemeral: fanout.envelope.isEphemeral) {
        case .nobody(let status): return status
        case .members(let receivers):
            let now = mixer.now
            history.number(fanout, isPrivate: true)
            for member in receivers { member.deliver(fanout, now: now) }
            // As others know it, whichever of its names the sender wrote.
            history.keep(fanout, from: sender, to: receivers.first?.uri ?? uri)
            mixer.counters.deliveries &+= UInt64(receivers.count)
            return .ok
        }
    }

    enum PrivateReceivers {
        case members([Member])
        /// The sender is answered so.
        case nobody(Status)
    }

    func privateReceivers(_ uri: String, from sender: Member, isEphemeral: Bool = false) -> PrivateReceivers {
        let named = state.members(named: uri, except: sender.id)
        guard !named.isEmpty else { return .nobody(state.contains(uri) ? .ok : .notFound) }
        let able = named.compactMap { mixer.member($0) }.filter(\.takesPrivateMessages)
        guard !able.isEmpty else { return .nobody(.privateMessagesUnsupported) }
        if isEphemeral { return .members(able) }
        let now = mixer.now
        let receivers = able.filter { !$0.isCongested(now: now) }
        // Says "stop sending this message" and nothing else: 408 would cost the sender its session, 403 the right to try
        // again (RFC 4975 section 10).
        return receivers.isEmpty ? .nobody(.stopSending) : .members(receivers)
    }

    private func distribute(_ fanout: Fanout, from sender: Member, now: NIODeadline) {
        if !turn.takes(fanout, from: sender) {
            passOn()
            guard turn.takes(fanout, from: sender) else {
                // The array is not changed meanwhile: see above.
                for member in members where member !== sender { member.deliver(fanout, now: now) }
                return
            }
        }
        if turn.count == 1 { mixer.transport.scheduler.expectOutput(from: self) }
    }

    /// Passes on what waits for the end of the turn. Comes before anything that changes who is in the room, or what
    /// somebody is told besides.
    func passOn() {
        if turn.count > 0 { passOnTurn() }
    }

    private func passOnTurn() {
        var turn = Turn()
        swap(&turn, &self.turn)
        let now = mixer.now
        let members = members
        // To and fro: those who were written to last are still in the processor's caches.
        isBackward.toggle()
        for index in members.indices {
            let member = members[isBackward ? members.count &- 1 &- index : index]
            if member !== turn.sender { member.deliver(turn, now: now) }
        }
        mixer.transport.scheduler.fire()
        if slowMembers > 0, let sender = turn.sender { pause(sender, now: now) }
        expectAnswers(to: turn.count)
        turn.removeAll()
        // What it has allocated is used again.
        swap(&turn, &self.turn)
    }

    func fanout(_ line: SystemLine) -> Fanout {
        Fanout(line.envelope(in: terms, dateTime: mixer.dateTime()), mixer: mixer)
    }

    /// Says something as the room, to one member.
    func say(_ line: SystemLine, to member: Member) { member.deliver(fanout(line), now: mixer.now) }

    /// Says something as the room, to all members for whom it is meant.
    func say(_ line: SystemLine, where isMeant: (Member) -> Bool = { _ in true }) {
        let fanout = fanout(line)
        let now = mixer.now
        for member in members where isMeant(member) { member.deliver(fanout, now: now) }
    }

    // MARK: Senders wait for receivers that still take octets

    /// A sender of much waits while members are slow.
    func slowDown(_ sender: Member, now: NIODeadline) {
        if slowMembers > 0 { pause(sender, now: now) }
    }

    private func pause(_ sender: Member, now: NIODeadline) {
        guard !pausedSenders.contains(where: { $0.member === sender }), let connection = sender.connection else {
            return
        }
        mixer.counters.sendersPaused &+= 1
        connection.pauseReading(by: sender)
        pausedSenders.append((sender, now))
    }

    func memberBecame(slow: Bool) {
        slowMembers += slow ? 1 : -1
        resumeSendersIfPossible()
    }

    private func resumeSendersIfPossible() {
        guard !pausedSenders.isEmpty, slowMembers == 0 else { return }
        let paused = pausedSenders
        pausedSenders = []
        for (member, _) in paused { member.connection?.resumeReading(by: member) }
    }

    /// A sender waits no longer than `slowMemberWait` for the receivers it waits for.
    func ticked(at now: NIODeadline) {
        history.ticked(at: now)
        // Most rooms are silent most of the time: what the last turns took is given back.
        if turn.count == 0 { turn = Turn() }
        if earlierMessages.count > 0 { earlierMessages.expire(now: now) }
        guard let first = pausedSenders.first else { return }
        if now - first.since >= mixer.configuration.slowMemberWait {
            var isWorthWaiting = false
            for member in members where member.isSlow {
                let isGoing = terms.configuration.congestion != .drop && member.takesMuch()
                if isGoing { isWorthWaiting = true } else { member.stopHoldingUp(now: now) }
            }
            // Everybody has much to take, and takes it: going on would cost those their connections.
            if isWorthWaiting { pausedSenders = pausedSenders.map { ($0.member, now) } }
        }
        resumeSendersIfPossible()
    }

    // MARK: NICKNAME

    /// - Parameter value: of Use-Nickname; nil: the request has none, which it must (RFC 7701 section 7.1).
    func requestNickname(_ value: String?, by member: Member) -> Status {
        // The room's policy comes first.
        guard member.rights.setsNickname else { return .forbidden }
        guard let value else { return .badRequest }
        let outcome = state.requestNickname(
            Nickname(header: value), for: member.id, reserved: reserved(), now: mixer.now)
        switch outcome {
        case .set(let nickname):
            let former = member.shownName
            member.nickname = nickname
            mixer.emit(.nicknameChanged(member.snapshot))
            tellNickname(of: member, formerly: former)
            return .ok
        case .unchanged: return .ok
        case .refuse(let status): return status
        }
    }

    /// The configured words, and the room's own names.
    private func reserved() -> [Nickname] {
        if let reservedNicknames { return reservedNicknames }
        let words =
            terms.configuration.reservedNicknames + [
                address.user, address.description, terms.title, terms.configuration.title,
            ]
        let reserved = words.compactMap { Nickname(enforcing: $0) }
        reservedNicknames = reserved
        return reserved
    }

    // MARK: Welcome

    /// RFC 7701 section 11: a client that doesn't know chat rooms is told what it is in, and who is there.
    func welcome(_ member: Member) {
        switch terms.configuration.welcome {
        case .nobody: return
        case .everybody(let text): say(SystemLine(event: .welcome, text: text), to: member)
        case .clientsUnawareOfChatRooms(let text):
            guard !member.media.isChatRoomAware else { return }
            if let text { return say(SystemLine(event: .welcome, text: text), to: member) }
            let title = terms.title.isEmpty ? address.description : terms.title
            let shown = members.filter { $0 !== member && $0.isJoined }.prefix(Self.mostNamed)
            let names = shown.map(\.shownName).joined(separator: ", ")
            let here = names.isEmpty ? "Nobody else is here." : "Here are: \(names)."
            let text = "This is the chat room \(title): all its participants see what you write. \(here)"
            say(SystemLine(event: .welcome, text: text), to: member)
        }
    }

    /// Names in a welcome text.
    private static let mostNamed = 50
}

extension Room: OutputSource {
    func writeOutput() { passOn() }
}

@available(*, unavailable)
extension Room: Sendable {}
