import DigestAuth
import MSRP

/// What an AUTH asks for (RFC 4976 section 5.1), read from its head.
struct AuthRequest: Equatable {
    enum Authorization: Equatable {
        case none
        case claim(DigestClaim)
        case defective(DigestDefect)
    }

    /// The Expires header field, in seconds.
    enum Expires: Equatable {
        case none
        case seconds(Int)
        case unreadable
    }

    let toPath: Path
    let fromPath: Path
    /// The rightmost URI of To-Path as written: the digest URI of clients that name none (RFC 4976 section 9.1).
    let digestURI: [UInt8]
    let authorization: Authorization
    let expires: Expires

    /// Nil when the head is malformed, or To-Path or From-Path are missing or malformed (400).
    init?(_ head: Head) {
        guard head.defect == nil, let toPath = head.toPath, let fromPath = head.fromPath else { return nil }
        self.toPath = toPath
        self.fromPath = fromPath
        digestURI =
            head.withValue("To-Path") { path in
                let start = path.lastIndex { $0 == UInt8(ascii: " ") || $0 == UInt8(ascii: "\t") }
                return Array(path[(start.map { $0 + 1 } ?? 0)...])
            } ?? []
        authorization = Self.authorization(of: head)
        expires = head.withValue("Expires") { Self.expires($0) } ?? .none
    }

    /// A client may answer several challenges, each in a header field of its own: the first that can be judged counts.
    private static func authorization(of head: Head) -> Authorization {
        guard let first = head.withValue("Authorization", read) else { return .none }
        if case .claim = first { return first }
        for field in head.fields where field.name.count == 13 && head.name(of: field).lowercased() == "authorization" {
            let value = head.withUnsafeBytes { read(UnsafeRawBufferPointer(rebasing: $0[field.value])) }
            if case .claim = value { return value }
        }
        return first
    }

    private static func read(_ value: UnsafeRawBufferPointer) -> Authorization {
        do throws(DigestDefect) { return .claim(try DigestClaim(value)) } catch { return .defective(error) }
    }

    private static func expires(_ value: UnsafeRawBufferPointer) -> Expires {
        guard !value.isEmpty else { return .unreadable }
        var seconds = 0
        for octet in value {
            guard octet >= UInt8(ascii: "0"), octet <= UInt8(ascii: "9") else { return .unreadable }
            let (product, overflow) = seconds.multipliedReportingOverflow(by: 10)
            let (sum, carry) = product.addingReportingOverflow(Int(octet &- UInt8(ascii: "0")))
            // More seconds than can be counted are out of bounds, not unreadable.
            seconds = overflow || carry ? .max : sum
        }
        return .seconds(seconds)
    }

    /// Whether `uri` in Authorization means the same as To-Path's end. The request and what was signed must agree
    /// (RFC 7616 section 3.4.6).
    func names(_ uri: String) -> Bool {
        if uri.utf8.elementsEqual(digestURI) { return true }
        return URI(uri)?.isEquivalent(to: toPath.last) ?? false
    }
}
