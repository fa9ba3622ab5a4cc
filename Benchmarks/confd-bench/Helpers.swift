import ArgumentParser
import CBench
import Foundation

struct Copy: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Serves the C proxy that copies between connections until it is killed.")

    @Option(help: "The port on 127.0.0.1; 0 takes a free one.")
    var port: UInt16 = 0

    @Option(help: "The port on 127.0.0.1 to connect to.")
    var backend: UInt16

    @Flag(help: "Move octets through a pipe in the kernel instead of reading and writing them.")
    var splice = false

    func run() throws {
        throw ExitCode(cbench_copy_serve(port, backend, splice))
    }
}

struct Become: ParsableCommand {
    static let configuration = CommandConfiguration(
        abstract: "Becomes another program that ends when the one that started us does.", shouldDisplay: false)

    @Argument(parsing: .captureForPassthrough)
    var command: [String]

    func run() throws {
        var words = command.map { strdup($0) }
        words.append(nil)
        throw ExitCode(cbench_become(words))
    }
}
