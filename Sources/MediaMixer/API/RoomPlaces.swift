import MSRPTransport
import Synchronization

/// Which loop has which room, where there are several loops: the one with the fewest members, and of those the one with
/// the fewest rooms, when the room is first asked for. It stays there until it closes.
///
/// A room is known here as long as it is open or something is on its way to it, so that two things that are asked for
/// at the same time go to the same loop.
final class RoomPlaces: Sendable {
    private struct Place {
        let loop: Int
        /// Calls that have not come back from the loop.
        var calls: Int
    }

    private struct State {
        var places: [RoomAddress: Place] = [:]
        /// By loop.
        var rooms: [Int]
    }

    private let state: Mutex<State>

    init(loops: Int) {
        state = Mutex(State(rooms: Array(repeating: 0, count: loops)))
    }

    /// A call for the room begins.
    /// - Parameter members: of each loop.
    /// - Returns: the loop it goes to.
    func begin(_ room: RoomAddress, members: (Int) -> Int) -> Int {
        state.withLock { state in
            if let place = state.places[room] {
                state.places[room]?.calls = place.calls + 1
                return place.loop
            }
            let load = state.rooms.indices.map { (members($0), state.rooms[$0]) }
            let loop = load.indices.min { load[$0] < load[$1] } ?? 0
            state.places[room] = Place(loop: loop, calls: 1)
            state.rooms[loop] += 1
            return loop
        }
    }

    /// The call has been made.
    /// - Parameter isOpen: whether the room is there now.
    func end(_ room: RoomAddress, isOpen: Bool) {
        state.withLock { state in
            guard var place = state.places[room] else { return }
            place.calls -= 1
            if place.calls > 0 || isOpen {
                state.places[room] = place
            } else {
                state.places[room] = nil
                state.rooms[place.loop] -= 1
            }
        }
    }
}
