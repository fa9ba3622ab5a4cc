import MSRP
import MSRPTransport
import NIOCore

/// When the answers of those who only listen are read: some at a time, while much is said in the room.
///
/// A 200 tells nothing that anybody waits for. Read as it comes, it costs a wake-up, a system call and a walk through all
/// that belongs to its connection: about as much as the message it answers. So while a room is busy, those who say
/// nothing themselves are read from in turn, each when it has some tens of answers to give, and after 40 milliseconds at
/// the latest. Who says something is read from at once again.
///
/// Counts only: rounds come from a timer that runs while the room is busy.
struct AnswerGathering {
    /// A round is this long.
    static let round = TimeAmount.milliseconds(5)
    /// A room in which so many messages take no longer than this is busy.
    static let messagesOfABusyRoom = 32
    static let timeOfABusyRoom = TimeAmount.milliseconds(160)
    /// Answers that each has to give when it is read from, as long as that is within `mostRounds`.
    static let answersWorthReading = 64
    /// In so many rounds everybody is read from.
    static let mostRounds = 8
    /// Rounds without a message after which the room isn't busy any more.
    static let roundsOfQuiet = 40

    /// Whose turn it is.
    enum Turn: Equatable {
        /// So many, from this one on; behind the last comes the first.
        case members(first: Int, count: Int)
        /// The room isn't busy any more.
        case end
    }

    private(set) var isOn = false
    private var messages = 0
    private var counted: NIODeadline?
    private var quietRounds = 0
    private var next = 0

    /// Messages went to everybody.
    /// - Parameter now: asked for now and then.
    /// - Returns: whether the room has become busy by them: rounds have to be made from now on.
    mutating func passed(_ count: Int, now: () -> NIODeadline = { .now() }) -> Bool {
        messages &+= count
        guard !isOn, messages >= Self.messagesOfABusyRoom else { return false }
        messages = 0
        let time = now()
        isOn = counted.map { time - $0 <= Self.timeOfABusyRoom } ?? false
        counted = time
        return isOn
    }

    /// A round is over.
    /// - Parameter members: how many are in the room.
    mutating func roundPassed(members: Int) -> Turn {
        quietRounds = messages == 0 ? quietRounds &+ 1 : 0
        let share = min(messages, Self.answersWorthReading)
        messages = 0
        guard quietRounds < Self.roundsOfQuiet, members > 0 else {
            self = AnswerGathering()
            return .end
        }
        let byTime = (members + Self.mostRounds - 1) / Self.mostRounds
        let byAnswers = (members * share + Self.answersWorthReading - 1) / Self.answersWorthReading
        let first = next < members ? next : 0
        let count = max(byTime, byAnswers)
        next = (first + count) % members
        return .members(first: first, count: count)
    }
}

extension Room {
    /// Messages have been passed on to everybody.
    func expectAnswers(to count: Int) {
        if answers.passed(count) { beginRound() }
    }

    private func beginRound() {
        let eventLoop = mixer.transport.eventLoop
        let bound = NIOLoopBound(self, eventLoop: eventLoop)
        eventLoop.scheduleTask(in: AnswerGathering.round) { bound.value.roundPassed() }
    }

    private func roundPassed() {
        mixer.turnBegan()
        // What is read may change who is here.
        let members = members
        switch answers.roundPassed(members: members.count) {
        case .members(let first, let count):
            for offset in 0..<count { members[(first + offset) % members.count].readAnswers() }
            beginRound()
        case .end:
            for member in members { member.connection?.endGathering() }
        }
        mixer.transport.scheduler.flush()
    }
}

extension Member {
    /// Reads the answers that have come, if this participant only listens.
    fileprivate func readAnswers() {
        guard let connection else { return }
        if connection.isGathering {
            connection.readGathered()
        } else if phase == .active, backlog.isCurrent, !isTalker {
            connection.beginGathering()
        }
    }

    /// It has said something lately.
    private var isTalker: Bool { lastRequest.map { mixer.now - $0 < Self.timeOfATalker } ?? false }

    private static let timeOfATalker = TimeAmount.seconds(60)

    /// It says something: what comes behind is read as it comes.
    func noteRequest(on connection: Connection, now: NIODeadline) {
        lastRequest = now
        if connection.isGathering { connection.endGathering() }
    }
}
