import Foundation
import Testing

@testable import Payloads

/// Wire octets kept as files, with their line ends.
enum Corpus {
    private static let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Corpus")

    static func octets(_ path: String) throws -> [UInt8] {
        [UInt8](try Data(contentsOf: folder.appendingPathComponent(path)))
    }

    /// The files of a folder with an extension, sorted.
    static func files(in path: String, ending: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: folder.appendingPathComponent(path).path)
            .filter { $0.hasSuffix(".\(ending)") }.sorted().map { "\(path)/\($0)" }
    }
}

/// Numbers that look random and are the same in every run.
struct SplitMix64: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var mixed = state
        mixed = (mixed ^ (mixed >> 30)) &* 0xBF58_476D_1CE4_E5B9
        mixed = (mixed ^ (mixed >> 27)) &* 0x94D0_49BB_1331_11EB
        return mixed ^ (mixed >> 31)
    }
}

/// Octets with some changed, cut out or doubled.
func mutated(_ octets: [UInt8], _ random: inout SplitMix64) -> [UInt8] {
    var octets = octets
    for _ in 0..<Int.random(in: 1...6, using: &random) where !octets.isEmpty {
        let index = Int.random(in: 0..<octets.count, using: &random)
        switch Int.random(in: 0..<5, using: &random) {
        case 0: octets[index] = UInt8.random(in: 0...255, using: &random)
        case 1: octets.remove(at: index)
        case 2: octets.insert([0, 10, 13, 32, 34, 58, 60, 62, 92].randomElement(using: &random) ?? 0, at: index)
        case 3: octets.removeSubrange(index..<min(octets.count, index + 9))
        default: octets.insert(contentsOf: octets[index..<min(octets.count, index + 40)], at: index)
        }
    }
    return octets
}

func crlf(_ lines: String...) -> [UInt8] { Array((lines.joined(separator: "\r\n") + "\r\n").utf8) }

func text(_ octets: some Sequence<UInt8>) -> String { String(decoding: Array(octets), as: UTF8.self) }

/// An offer of one m=message line; every argument is a line of it or a part of one.
func offer(
    transport: String = "TCP/MSRP", port: Int = 2855, connection: String? = "IN IP4 192.0.2.7",
    path: String? = "msrp://192.0.2.7:2855/peer;tcp", types: String? = "message/cpim text/plain",
    session: [String] = [], attributes: [String] = []
) -> [UInt8] {
    var lines = ["v=0", "o=alice 10 20 IN IP4 192.0.2.7", "s=-"]
    if let connection { lines.append("c=\(connection)") }
    lines += ["t=0 0"] + session + ["m=message \(port) \(transport) *"]
    if let path { lines.append("a=path:\(path)") }
    if let types { lines.append("a=accept-types:\(types)") }
    return Array((lines + attributes).map { $0 + "\r\n" }.joined().utf8)
}

let ourPath = "msrp://198.51.100.1:2855/ours;tcp"
let ourTLSPath = "msrps://198.51.100.1:2855/ours;tcp"

func negotiation(_ local: LocalMedia = LocalMedia()) -> MSRPNegotiation { MSRPNegotiation(local: local, originID: 77) }

/// What an offer is found to be by a fresh negotiation.
func examined(_ offer: [UInt8], _ local: LocalMedia = LocalMedia()) -> Result<ChosenMedia, Refusal> {
    var machine = negotiation(local)
    return Result { () throws(Refusal) in try machine.examine(offer: offer).media }
}

/// The attribute lines of the m=message line in an answer to an offer.
func answered(
    _ offer: [UInt8], _ local: LocalMedia = LocalMedia(), path: String = ourPath
) throws -> MediaDescription {
    var machine = negotiation(local)
    _ = try machine.examine(offer: offer)
    let answer = try SessionDescription(parsing: machine.answer(localPath: path))
    return try #require(answer.media.first { $0.medium == "message" && $0.port != 0 })
}
