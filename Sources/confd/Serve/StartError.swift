/// Why the server could not be started, worded for its operator: what to change, and where.
struct StartError: Error, Equatable, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
