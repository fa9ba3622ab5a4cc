internal import ArgumentParser
internal import Focus
internal import FoundationEssentials
internal import MediaMixer
internal import Store

#if canImport(Glibc)
    internal import Glibc
#endif

/// Has an order done by the server that runs with this configuration, or else on its database.
struct RoomDesk {
    private let settings: Settings
    private let stateDirectory: String
    private let output: RoomOutputOptions

    /// Does a command's work; what fails is said on standard error.
    static func work(
        _ output: RoomOutputOptions, _ body: (RoomDesk) async throws(RoomFailure) -> Void
    ) async throws {
        // A reader that goes away early must not end us in the middle of a change.
        signal(SIGPIPE, SIG_IGN)
        let loaded = output.options.load()
        // The server runs, or not, whatever became of its configuration since.
        let problems = loaded.problems.filter { $0.section == nil || $0.key == "state_directory" }
        guard problems.isEmpty else {
            for problem in problems { StandardError.write("confd room: \(problem)") }
            throw ExitCode(1)
        }
        let settings = loaded.settings
        let desk = RoomDesk(
            settings: settings, stateDirectory: settings.conference.stateDirectory ?? StateDirectory.standard,
            output: output)
        do throws(RoomFailure) {
            try await body(desk)
        } catch {
            StandardError.write("confd room: \(error)")
            throw error == .notRunning ? StatusCommand.notRunning : ExitCode(1)
        }
    }

    /// The configuration of a room that is about to be made, as `[Conference]` has it for all rooms.
    func template(_ address: RoomAddress) -> RoomConfiguration {
        var room = settings.adhocRoom
        room.address = address
        room.ends = .lastLeaves
        return room
    }

    func perform(_ order: RoomOrder) async throws(RoomFailure) -> RoomAnswer {
        do throws(ControlQuestion.Failure) {
            let path = ControlSocket.path(stateDirectory: stateDirectory)
            return try Self.answer(ControlQuestion.ask(path, .room(order)))
        } catch {
            switch error {
            case .other(let reason): throw RoomFailure(reason)
            case .notRunning:
                if order.needsServer { throw .notRunning }
                return try await performWithoutServer(order)
            }
        }
    }

    /// Prints what came of a change: nothing much, unless calls were ended.
    func report(_ answer: RoomAnswer, of order: RoomOrder) {
        if output.json {
            StandardOutput.write(RoomJSON.change(order, answer) + "\n")
        } else if let ended = answer.ended, ended > 0 {
            StandardOutput.write("\(ended) \(ended == 1 ? "call" : "calls") ended\n")
        } else if let purged = answer.purged {
            StandardOutput.write("\(purged) \(purged == 1 ? "message" : "messages") removed\n")
        }
    }

    func change(_ order: RoomOrder) async throws(RoomFailure) {
        report(try await perform(order), of: order)
    }

    /// Octets of messages that are read at a time.
    private static let pageOctets = 8 << 20

    /// What is kept of a room, a page at a time, oldest first.
    func history(
        _ query: HistoryQuery, _ body: ([HistoryEntry]) -> Void
    ) async throws(RoomFailure) {
        _ = try await perform(.history(query.room))
        do throws(StoreError) {
            guard let database = try await open(making: false) else { return }
            guard let first = try await database.firstSequence(query) else { return await database.close() }
            var page = query
            page.last = nil
            page.after = first - 1
            page.octets = Self.pageOctets
            while true {
                let entries = try await database.entries(page)
                guard let last = entries.last else { return await database.close() }
                body(entries)
                page.after = last.sequence
            }
        } catch {
            throw RoomFailure(error.description)
        }
    }

    func print(text: String, json: String) { StandardOutput.write(output.json ? json + "\n" : text) }

    private static func answer(_ line: [UInt8]) throws(ControlQuestion.Failure) -> RoomAnswer {
        guard let answer = try? JSONDecoder().decode(ControlMessage.Answer.self, from: Data(line)) else {
            throw .other("the server's answer is not understood; is it of another version than this program?")
        }
        guard let room = answer.room else { throw .other(answer.error ?? "the server has no answer") }
        return room
    }

    // MARK: Without a server

    private func performWithoutServer(_ order: RoomOrder) async throws(RoomFailure) -> RoomAnswer {
        let database: EmbeddedDatabase?
        do throws(StoreError) {
            database = try await open(making: !order.onlyLooks)
        } catch {
            throw RoomFailure(error.description)
        }
        let domains = ServedDomains(settings).all
        let ledger = RoomLedger(
            database: database,
            file: settings.rooms.map {
                StoredRoom(address: $0.address, configuration: $0.configuration(settings), condition: $0.condition)
            }, domains: Set(domains.map(RoomResolver.normalized)), factoryName: settings.conference.factory)
        do throws(RoomFailure) {
            let answer = try await ledger.answer(order)
            await database?.close()
            return answer
        } catch {
            await database?.close()
            throw error
        }
    }

    /// - Parameter making: whether it is made when it isn't there.
    private func open(making: Bool) async throws(StoreError) -> EmbeddedDatabase? {
        let path = "\(stateDirectory)/\(EmbeddedDatabase.fileName)"
        // One that can't be seen may be there.
        guard making || access(path, F_OK) == 0 || errno != ENOENT else { return nil }
        let folder: String
        do throws(StartError) {
            folder = try StateDirectory.prepare(stateDirectory)
        } catch {
            throw StoreError("\(error)")
        }
        return try await EmbeddedDatabase.open(stateDirectory: folder)
    }
}

extension RoomFailure {
    static let notRunning = RoomFailure("confd is not running, so nobody is in a room")
}

extension RoomOrder {
    /// Looking makes no file.
    fileprivate var onlyLooks: Bool {
        switch self {
        case .list, .show, .policy(_, .show), .history: true
        default: false
        }
    }
}
