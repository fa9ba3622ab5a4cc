internal import Foundation

/// Characters that look like others, as far as people commonly meet them: Latin, Cyrillic, Greek and digits. A room may
/// guard against nicknames that mislead (RFC 7701 section 7.1); the way is that of Unicode's technical standard 39.
enum Confusables {
    /// Equal for texts that look the same. Never shown.
    static func skeleton(of text: String) -> String {
        let isASCII = text.utf8.allSatisfy { $0 < 0x80 }
        var plain = ""
        for scalar in (isASCII ? text : text.decomposedStringWithCanonicalMapping).unicodeScalars {
            plain.unicodeScalars.append(table[scalar] ?? scalar)
        }
        var skeleton = ""
        for scalar in NicknameMapping.withoutCase(plain).unicodeScalars {
            switch scalar {
            case "m": skeleton += "rn"
            case "w": skeleton += "vv"
            default: skeleton.unicodeScalars.append(scalar)
            }
        }
        return skeleton
    }

    private static let table: [Unicode.Scalar: Unicode.Scalar] = {
        var table: [Unicode.Scalar: Unicode.Scalar] = [:]
        for (look, like) in rows {
            for (one, other) in zip(look.unicodeScalars, like.unicodeScalars) { table[one] = other }
        }
        return table
    }()

    /// What each character of the first text looks like stands below it.
    private static let rows: [(String, String)] = [
        // Capital I, digits and strokes
        (
            "I10|",
            "llOl"
        ),
        // Cyrillic
        (
            "АВЕЗІКМНОРСТУХЅЈԚԜѴЬГӀҮԌԀ",
            "ABE3lKMHOPCTYXSJQWVbrlYGd"
        ),
        (
            "аеосрухіјѕкԁԛԝһӏѵгбпҮԍүтмнвз",
            "aeocpyxijskdqwhlvr6nYGytmhb3"
        ),
        // Greek
        (
            "ΑΒΕΖΗΙΚΜΝΟΡΤΥΧϹͿ",
            "ABEZHlKMNOPTYXCJ"
        ),
        (
            "αγηικνορστυχωϲϳ",
            "aynikvopotuxwcj"
        ),
        // Latin letters beside the alphabet, and Armenian ones
        (
            "ıɑɡɩᴀʙᴄᴅᴇꜰɢʜɪᴊᴋʟᴍɴᴏᴘʀꜱᴛᴜᴠᴡʏᴢօոսհ",
            "iagiabcdefghijklmnoprstuvwyzonuh"
        ),
        // Apostrophes and dashes
        (
            "\u{2018}\u{2019}\u{2BC}`\u{B4}\u{2032}\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}",
            "''''''-------"
        ),
    ]
}
