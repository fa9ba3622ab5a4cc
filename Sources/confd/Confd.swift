internal import ArgumentParser

/// The one executable.
@main
struct Confd: AsyncParsableCommand {
    static let version = "0.1.0"

    static let configuration = CommandConfiguration(
        commandName: "confd",
        abstract: "A SIP conference server with MSRP chat rooms, and an MSRP relay.",
        discussion: """
            Clients call a room's SIP address and chat over MSRP. Try it on one machine:

              confd serve                        rooms on 127.0.0.1, made on demand
              confd chat sip:lobby@127.0.0.1 --as sip:alice@127.0.0.1
              confd probe sip:lobby@127.0.0.1    is somebody there, and what can it do?

            Files go through the relay between two ends that can't reach each other:

              confd relay-receive --as bob@example.com         prints the path to send to
              confd send-file photo.jpeg 'msrps://...'         sends to it, or goes on with what is there
            """,
        version: version,
        subcommands: [
            Serve.self, CheckConfig.self, StatusCommand.self, RoomCommand.self, AccountCommand.self, ProbeCommand.self,
            ChatCommand.self, RelayReceiveCommand.self, SendFileCommand.self,
        ])
}
