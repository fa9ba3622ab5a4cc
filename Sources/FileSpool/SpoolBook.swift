/// Which files a spool has and is receiving, and what they take of its limits. Pure: it touches no disk.
struct SpoolBook: Sendable {
    private struct Room {
        var files: [SpooledFile] = []
        /// Octets, those reserved included.
        var bytes = 0
        var incoming = 0
    }

    private struct Reservation {
        let room: String
        var bytes: Int
        /// The room has ended.
        var isDoomed = false
    }

    let limits: SpoolLimits
    private var rooms: [String: Room] = [:]
    private var places: [String: String] = [:]
    private var reservations: [String: Reservation] = [:]
    /// Octets of all files, those reserved included.
    private(set) var bytes = 0

    /// - Parameter files: oldest first. They are kept even if the limits have become smaller.
    init(limits: SpoolLimits, files: [SpooledFile] = []) {
        self.limits = limits
        for file in files { insert(file) }
    }

    var count: Int { places.count }
    var incoming: Int { reservations.count }

    var roomsWithFiles: [String] { rooms.filter { !$0.value.files.isEmpty }.keys.sorted() }

    func files(in room: String) -> [SpooledFile] { rooms[room]?.files ?? [] }

    func file(_ id: String) -> SpooledFile? {
        places[id].flatMap { rooms[$0] }?.files.first { $0.id == id }
    }

    // MARK: Receiving

    /// - Parameter size: the octets announced; 0 when nothing was said.
    mutating func reserve(_ id: String, room: String, size: Int) throws(SpoolRefusal) {
        guard size <= limits.fileSize else { throw .fileTooLarge }
        guard reservations.count < limits.incoming else { throw .tooManyIncoming }
        let there = rooms[room] ?? Room()
        guard there.files.count + there.incoming < limits.filesPerRoom else { throw .tooManyFiles }
        try judge(room: room, adding: size)
        reservations[id] = Reservation(room: room, bytes: 0)
        rooms[room, default: Room()].incoming += 1
        add(size, to: id)
    }

    /// The file has, or will have, so many octets. What is reserved never shrinks.
    mutating func grow(_ id: String, to size: Int) throws(SpoolRefusal) {
        guard let reservation = reservations[id] else { throw .noSuchFile }
        guard size > reservation.bytes else { return }
        guard size <= limits.fileSize else { throw .fileTooLarge }
        try judge(room: reservation.room, adding: size - reservation.bytes)
        add(size - reservation.bytes, to: id)
    }

    /// The file comes to nothing.
    mutating func release(_ id: String) {
        guard let reservation = reservations.removeValue(forKey: id) else { return }
        bytes -= reservation.bytes
        change(reservation.room) {
            $0.bytes -= reservation.bytes
            $0.incoming -= 1
        }
    }

    /// The file is there.
    /// - Returns: files it takes the place of, of the same sender, name and content; nil when its room has ended.
    mutating func commit(_ file: SpooledFile) -> [SpooledFile]? {
        let isDoomed = reservations[file.id]?.isDoomed ?? true
        release(file.id)
        if isDoomed { return nil }
        let replaced = files(in: file.room).filter {
            $0.sender == file.sender && $0.name == file.name && $0.sha256 == file.sha256
        }
        insert(file)
        return replaced
    }

    // MARK: Going

    mutating func remove(_ ids: [String]) {
        for id in ids {
            guard let room = places.removeValue(forKey: id), let file = rooms[room]?.files.first(where: { $0.id == id })
            else { continue }
            bytes -= file.size
            change(room) {
                $0.files.removeAll { $0.id == id }
                $0.bytes -= file.size
            }
        }
    }

    /// What is being received for the room will not be kept.
    mutating func doom(_ room: String) {
        for (id, reservation) in reservations where reservation.room == room { reservations[id]?.isDoomed = true }
    }

    func expired(at now: Int64) -> [SpooledFile] {
        rooms.values.flatMap { $0.files.filter { $0.expires.map { $0 <= now } ?? false } }
    }

    // MARK: Counting

    private func judge(room: String, adding size: Int) throws(SpoolRefusal) {
        guard size <= limits.roomBytes - (rooms[room]?.bytes ?? 0) else { throw .roomIsFull }
        guard size <= limits.totalBytes - bytes else { throw .spoolIsFull }
    }

    private mutating func add(_ size: Int, to id: String) {
        guard let room = reservations[id]?.room else { return }
        reservations[id]?.bytes += size
        bytes += size
        rooms[room]?.bytes += size
    }

    private mutating func insert(_ file: SpooledFile) {
        places[file.id] = file.room
        bytes += file.size
        rooms[file.room, default: Room()].files.append(file)
        rooms[file.room]?.bytes += file.size
    }

    private mutating func change(_ name: String, _ body: (inout Room) -> Void) {
        guard var room = rooms[name] else { return }
        body(&room)
        rooms[name] = room.files.isEmpty && room.incoming == 0 ? nil : room
    }
}
