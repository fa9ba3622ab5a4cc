import Payloads
import SIP

/// What a request's body is to the focus: the session description in it, or why there is none (RFC 3261 section 8.2.3,
/// RFC 5621).
enum SessionBody: Equatable, Sendable {
    /// No body, or none that matters: the INVITE asks for our offer.
    case none
    case description([UInt8])
    /// 415 with Accept: a part that must be understood is not.
    case unsupported
    /// 415 with Accept-Encoding.
    case encoded
    /// 400
    case malformed

    /// - Parameters:
    ///   - disposition: the value of Content-Disposition.
    ///   - encoding: the value of Content-Encoding.
    init(_ body: MessageBody?, disposition: String? = nil, encoding: String? = nil) {
        guard let body, !body.content.isEmpty else {
            self = .none
            return
        }
        if let encoding, !encoding.isEmpty, encoding.lowercased() != "identity" {
            self = Disposition(disposition).isOptional ? .none : .encoded
            return
        }
        if body.mediaType == "application/sdp" {  // nearly always
            self = Disposition(disposition).sorted(.description(body.content))
            return
        }
        guard let type = ContentType(parsing: body.contentType) else {
            self = .malformed
            return
        }
        self = Self.examine(body.content[...], type: type, disposition: disposition, depth: 0)
    }

    init(of request: Request) {
        self.init(
            request.body, disposition: request.headers["Content-Disposition"],
            encoding: request.headers["Content-Encoding"])
    }

    private static func examine(
        _ content: ArraySlice<UInt8>, type: ContentType, disposition: String?, depth: Int
    ) -> SessionBody {
        let disposition = Disposition(disposition)
        guard type.type == "multipart" else {
            // Lists of people are read elsewhere (RFC 5366).
            if type.essence == ResourceList.contentType { return .none }
            return disposition.sorted(type.essence == "application/sdp" ? .description(Array(content)) : .unsupported)
        }
        let limits = MultipartLimits()
        guard depth < limits.depth, let boundary = type.parameter("boundary"),
            let multipart = try? Multipart(parsing: content, boundary: boundary, limits: limits)
        else { return disposition.isOptional ? .none : .malformed }
        let found = multipart.parts.map { part in
            examine(
                part.body, type: part.contentType ?? ContentType(type: "text", subtype: "plain"),
                disposition: part.field("Content-Disposition"), depth: depth + 1)
        }
        let answer = type.subtype == "alternative" ? best(of: found) : all(found)
        return answer == .unsupported && disposition.isOptional ? .none : answer
    }

    /// multipart/mixed and its like: every part must be understood that doesn't say otherwise (RFC 5621 section 3.1).
    private static func all(_ parts: [SessionBody]) -> SessionBody {
        var answer = SessionBody.none
        for part in parts {
            switch part {
            case .none: continue
            case .description: if answer == .none { answer = part }
            case .unsupported, .encoded, .malformed: return part
            }
        }
        return answer
    }

    /// multipart/alternative: the last part that is understood (RFC 2046 section 5.1.4, RFC 5621 section 3.2).
    private static func best(of parts: [SessionBody]) -> SessionBody {
        parts.last { if case .description = $0 { true } else { false } } ?? (parts.isEmpty ? .none : .unsupported)
    }
}

/// A Content-Disposition (RFC 3261 section 20.11).
private struct Disposition {
    let isOptional: Bool
    let isSession: Bool

    init(_ value: String?) {
        guard let value else {
            isOptional = false
            isSession = true
            return
        }
        let words = value.lowercased().filter { $0 != " " && $0 != "\t" && $0 != "\"" }.split(separator: ";")
        isOptional = words.dropFirst().contains("handling=optional")
        isSession = words.first.map { $0 == "session" || $0.hasPrefix("handling=") } ?? true
    }

    /// A description is our business only as the session's; what we don't know may be left out when it is optional.
    func sorted(_ body: SessionBody) -> SessionBody {
        if case .description = body, isSession { return body }
        return isOptional ? .none : .unsupported
    }
}
