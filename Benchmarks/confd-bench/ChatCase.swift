import CBench

/// One row of the chat tables: the same work for confd and, where it makes sense, for the C program, in turn.
struct ChatCase {
    enum Group: String, CaseIterable {
        case deliveries, rooms, `private`, images, stalled
    }

    let group: Group
    let name: String
    var participants = 100
    var perRoom = 100
    var window = 1
    var tls = false
    var audience = CBENCH_TO_ROOM
    var stalled = 0
    var pictureSize = 0
    /// The C program does the same work in a room of this size, if not in the same one.
    var limitParticipants: Int?

    /// Octets of an image: 1 MB.
    static let pictureSize = 1_000_000

    static func all(sizes: [Int], windows: [Int], tls: Bool) -> [ChatCase] {
        var cases = [ChatCase]()
        for tls in tls ? [false, true] : [false] {
            for window in windows {
                cases += sizes.map { size in
                    ChatCase(
                        group: .deliveries, name: "\(size)", participants: size, perRoom: size, window: window, tls: tls
                    )
                }
                cases.append(
                    ChatCase(
                        group: .rooms, name: "10 rooms of 50", participants: 500, perRoom: 50, window: window, tls: tls,
                        audience: CBENCH_IN_EACH_ROOM))
                // To one receiver: for a program that knows no names, a room of two.
                cases.append(
                    ChatCase(
                        group: .private, name: "private, room of 100", window: window, tls: tls,
                        audience: CBENCH_PRIVATELY, limitParticipants: 2))
            }
            for window in [1, 4] {
                cases.append(
                    ChatCase(
                        group: .images, name: "1 MB images to 50", participants: 51, perRoom: 51, window: window,
                        tls: tls, pictureSize: pictureSize))
            }
            for stalled in [0, 1] {
                cases.append(
                    ChatCase(
                        group: .stalled, name: stalled == 0 ? "100, nobody stalled" : "100, one reads nothing",
                        window: 16, tls: tls, stalled: stalled))
            }
        }
        return cases
    }
}

/// What one run of one server gave.
struct ExchangeSample {
    let perSecond: Double
    let cpuPerDelivery: Double
    /// Milliseconds.
    let p99: Double
}
