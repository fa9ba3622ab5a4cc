/// The characters a nickname may have: RFC 8264's FreeformClass (sections 4.3, 8 and 9).
enum FreeformClass {
    static func contains(_ text: String) -> Bool {
        let scalars = Array(text.unicodeScalars)
        return scalars.indices.allSatisfy { isValid(scalars, at: $0) }
    }

    /// The order is that of section 8.
    private static func isValid(_ scalars: [Unicode.Scalar], at index: Int) -> Bool {
        let scalar = scalars[index]
        if (0x20...0x7E).contains(scalar.value) { return true }
        if let isRight = rule(scalars, at: index) { return isRight }
        let properties = scalar.properties
        if isOldHangulJamo(scalar.value) { return false }
        if properties.isDefaultIgnorableCodePoint || properties.isNoncharacterCodePoint { return false }
        switch properties.generalCategory {
        case .unassigned, .control, .surrogate, .privateUse, .lineSeparator, .paragraphSeparator, .format:
            return false
        default: return true
        }
    }

    /// Characters that are exceptions (RFC 5892 section 2.6) or right in some places only (its appendix A); nil for
    /// all others.
    private static func rule(_ scalars: [Unicode.Scalar], at index: Int) -> Bool? {
        switch scalars[index].value {
        case 0x640, 0x7FA, 0x302E, 0x302F, 0x3031...0x3035, 0x303B: false
        case 0x200C: follows(scalars, index, isVirama) || joins(scalars, at: index)
        case 0x200D: follows(scalars, index, isVirama)
        case 0xB7: follows(scalars, index) { $0 == "l" } && precedes(scalars, index) { $0 == "l" }
        case 0x375: precedes(scalars, index, isGreek)
        case 0x5F3, 0x5F4: follows(scalars, index, isHebrew)
        case 0x30FB: scalars.contains(where: isJapanese)
        case 0x660...0x669: !scalars.contains { (0x6F0...0x6F9).contains($0.value) }
        case 0x6F0...0x6F9: !scalars.contains { (0x660...0x669).contains($0.value) }
        default: nil
        }
    }

    private static func follows(_ scalars: [Unicode.Scalar], _ index: Int, _ is: (Unicode.Scalar) -> Bool) -> Bool {
        index > 0 && `is`(scalars[index - 1])
    }

    private static func precedes(_ scalars: [Unicode.Scalar], _ index: Int, _ is: (Unicode.Scalar) -> Bool) -> Bool {
        index + 1 < scalars.count && `is`(scalars[index + 1])
    }

    private static func isVirama(_ scalar: Unicode.Scalar) -> Bool {
        scalar.properties.canonicalCombiningClass == .virama
    }

    /// Whether a zero width non-joiner keeps two Arabic letters apart that would join (RFC 5892 appendix A.1). Letters
    /// of other joining scripts are not known here.
    private static func joins(_ scalars: [Unicode.Scalar], at index: Int) -> Bool {
        func isMark(_ scalar: Unicode.Scalar) -> Bool { scalar.properties.generalCategory == .nonspacingMark }
        guard let before = scalars[..<index].last(where: { !isMark($0) }),
            let after = scalars[(index + 1)...].first(where: { !isMark($0) })
        else { return false }
        return isArabicLetter(before) && !isRightJoining(before.value) && isArabicLetter(after)
    }

    private static func isArabicLetter(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x621, 0x674, 0x6D5: false
        case 0x620...0x64A, 0x66E...0x6D3, 0x6EE, 0x6EF, 0x6FA...0x6FC, 0x6FF, 0x750...0x77F: true
        default: false
        }
    }

    private static func isRightJoining(_ value: UInt32) -> Bool {
        switch value {
        case 0x622...0x625, 0x627, 0x629, 0x62F...0x632, 0x648, 0x671...0x673, 0x675...0x677, 0x688...0x699, 0x6C0,
            0x6C3...0x6CB, 0x6CD, 0x6CF, 0x6D2, 0x6D3, 0x6EE, 0x6EF, 0x759...0x75B, 0x76B, 0x76C, 0x771, 0x773,
            0x774, 0x778, 0x779:
            true
        default: false
        }
    }

    private static func isOldHangulJamo(_ value: UInt32) -> Bool {
        switch value {
        case 0x1100...0x11FF, 0xA960...0xA97C, 0xD7B0...0xD7C6, 0xD7CB...0xD7FB: true
        default: false
        }
    }

    private static func isGreek(_ scalar: Unicode.Scalar) -> Bool {
        (0x370...0x3FF).contains(scalar.value) || (0x1F00...0x1FFF).contains(scalar.value)
    }

    private static func isHebrew(_ scalar: Unicode.Scalar) -> Bool {
        (0x591...0x5F4).contains(scalar.value) || (0xFB1D...0xFB4F).contains(scalar.value)
    }

    /// Hiragana, Katakana or Han (RFC 5892 appendix A.7).
    private static func isJapanese(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x3005, 0x3007, 0x3041...0x309F, 0x30A1...0x30FA, 0x30FD...0x30FF, 0x31F0...0x31FF, 0x3400...0x4DBF,
            0x4E00...0x9FFF, 0xF900...0xFAFF, 0xFF66...0xFF9D, 0x20000...0x323AF:
            true
        default: false
        }
    }
}
