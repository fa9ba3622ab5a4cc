/// Who came and left, and what is talked about, as text for those who want it (`RoomConfiguration.systemLines`).
extension Room {
    /// With another device of it here nobody new has come.
    func tellJoined(_ member: Member) {
        guard saysSystemLines, !hasJoined(state.devices(besides: member.id)) else { return }
        tell(.joined, "\(member.shownName) joined", besides: member)
    }

    /// The member is no more in the room.
    func tellLeft(_ member: Member, _ how: Departure) {
        guard saysSystemLines, member.isJoined,
            !hasJoined(state.members(named: member.uri, except: member.id))
        else { return }
        tell(.left, "\(member.shownName) \(how.rawValue)", besides: member)
    }

    enum Departure: String {
        case left
        case removed = "was removed"
        case lost = "was lost"

        /// Nil where others see no change, or nobody is left to see one.
        init?(_ reason: LeaveReason) {
            switch reason {
            case .departed: self = .left
            case .removed: self = .removed
            case .notCompleted, .replaced, .shutdown: return nil
            }
        }

        init(_ cause: EndCause) {
            switch cause {
            case .graceExpired, .connectFailed, .neverConnected, .bindRefused: self = .lost
            case .fingerprintMismatch: self = .removed
            }
        }
    }

    func tellNickname(of member: Member, formerly: String) {
        guard saysSystemLines, member.isJoined else { return }
        tell(.nickname, "\(formerly) is now \(member.shownName)", besides: member)
    }

    func tellSubject() {
        guard saysSystemLines else { return }
        let subject = terms.condition.subject ?? ""
        tell(.subject, subject.isEmpty ? "The subject was removed" : "The subject is now: \(subject)")
    }

    private var saysSystemLines: Bool { terms.configuration.systemLines != .none && !isClosing }

    private func hasJoined(_ members: [MemberID]) -> Bool {
        members.contains { mixer.member($0)?.isJoined == true }
    }

    private func tell(_ event: SystemLine.Event, _ text: String, besides subject: Member? = nil) {
        let isForAll = terms.configuration.systemLines == .all
        say(SystemLine(event: event, text: text)) { member in
            member !== subject && member.isJoined && (isForAll || !member.isSubscribed)
        }
    }
}
