/// The line that is being typed on a terminal whose own editing is off. A pure machine: bytes in, what the line is now out.
package struct LineEditor: Sendable {
    package enum Outcome: Equatable, Sendable {
        case nothing
        /// The line is another one than before.
        case changed
        /// It was ended.
        case line(String)
        case endOfInput
    }

    private enum Escape { case none, begun, sequence, single }

    /// Octets of a line.
    static let longest = 1 << 20

    private var octets: [UInt8] = []
    private var escape = Escape.none

    package init() {}

    package var text: String { String(decoding: octets, as: UTF8.self) }
    package var isEmpty: Bool { octets.isEmpty }

    package mutating func take(_ octet: UInt8) -> Outcome {
        switch escape {
        case .begun:
            escape = octet == UInt8(ascii: "[") ? .sequence : octet == UInt8(ascii: "O") ? .single : .none
            return .nothing
        case .sequence:
            // Cursor and function keys: parameters, then one final octet.
            if (0x40...0x7E).contains(octet) { escape = .none }
            return .nothing
        case .single:
            escape = .none
            return .nothing
        case .none: break
        }
        switch octet {
        case 0x0A, 0x0D:
            let line = text
            octets = []
            return .line(line)
        case 0x04: return octets.isEmpty ? .endOfInput : .nothing
        case 0x08, 0x7F: return erase { text in if !text.isEmpty { text.removeLast() } }
        case 0x15: return erase { $0 = "" }
        case 0x17:
            return erase { text in
                while text.last == " " { text.removeLast() }
                while let last = text.last, last != " " { text.removeLast() }
            }
        case 0x1B:
            escape = .begun
            return .nothing
        case 0x09, 0x20...0x7E, 0x80...0xFF:
            guard octets.count < Self.longest else { return .nothing }
            octets.append(octet)
            return .changed
        default: return .nothing
        }
    }

    private mutating func erase(_ change: (inout String) -> Void) -> Outcome {
        guard !octets.isEmpty else { return .nothing }
        var text = text
        change(&text)
        octets = Array(text.utf8)
        return .changed
    }

    /// The end of the line, as much of it as a terminal of that many columns shows in one.
    package func shown(columns: Int) -> String {
        var width = 0
        var shown: [Character] = []
        for character in text.reversed() {
            let character = character == "\t" ? " " : character
            width += Self.width(of: character)
            guard width < columns else { break }
            shown.append(character)
        }
        return String(shown.reversed())
    }

    /// Columns that a terminal gives a character.
    static func width(of character: Character) -> Int {
        character.unicodeScalars.map { scalar in
            switch scalar.properties.generalCategory {
            case .nonspacingMark, .enclosingMark, .format, .control: return 0
            default: break
            }
            switch scalar.value {
            case 0x1100...0x115F, 0x2E80...0xA4CF, 0xAC00...0xD7A3, 0xF900...0xFAFF, 0xFE30...0xFE6F, 0xFF00...0xFF60,
                0xFFE0...0xFFE6, 0x1F300...0x1FAFF, 0x20000...0x3FFFD:
                return 2
            default: return 1
            }
        }.max() ?? 0
    }
}
