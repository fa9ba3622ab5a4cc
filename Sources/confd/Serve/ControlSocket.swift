internal import Logging

/// The local socket by which `confd status` asks the running server.
///
/// To be started after the listeners and closed first. It serves on a thread of its own; `snapshot` is awaited once a
/// request.
final class ControlSocket: Sendable {
    /// The socket's place in a state directory.
    static func path(stateDirectory: String) -> String { "\(stateDirectory)/control.sock" }

    /// Opens the socket, for the owner of the process only. One that a dead process left behind is replaced.
    ///
    /// - Throws: why there is none; a server that runs already keeps it. Good for a warning: the server does its work
    ///   without.
    static func start(
        path: String, logger: Logger, snapshot: @escaping @Sendable () async -> ServerStatus
    ) async throws(StartError) -> ControlSocket {
        throw StartError("not yet")
    }

    /// Ends it and removes its file.
    func close() async {}
}
