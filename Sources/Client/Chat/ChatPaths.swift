import MSRP
import SIP

#if canImport(Glibc)
    import Glibc
#endif

/// Paths as the user types them, and what refusals of files mean.
enum ChatPaths {
    /// `~/` is the user's own folder: there is no shell here that would say so.
    static func expanded(_ path: String) -> String {
        guard path == "~" || path.hasPrefix("~/"), let home = getenv("HOME").map({ String(cString: $0) }) else {
            return path
        }
        return home + path.dropFirst()
    }

    /// Where a file of that name goes: into the folder where the user is, into one of his, or under a name of his.
    static func place(for name: String, at path: String?) -> (folder: String, name: String) {
        guard let path else { return (".", name) }
        var status = stat()
        if stat(path, &status) == 0, status.st_mode & S_IFMT == S_IFDIR {
            return (path.count > 1 && path.hasSuffix("/") ? String(path.dropLast()) : path, name)
        }
        guard let slash = path.lastIndex(of: "/") else { return (".", path) }
        let last = String(path[path.index(after: slash)...])
        let folder = slash == path.startIndex ? "/" : String(path[..<slash])
        return (folder, last.isEmpty ? name : last)
    }

    /// Without the folder where the user is.
    static func shown(_ path: String) -> String {
        (path.hasPrefix("./") ? String(path.dropFirst(2)) : path).withoutControls(keepingLines: false)
    }

    static func size(of path: String) -> UInt64? {
        var status = stat()
        return stat(path, &status) == 0 && status.st_size >= 0 ? UInt64(status.st_size) : nil
    }

    /// Why the room doesn't want a file, or doesn't give one.
    static func refusal(_ response: Response, isPull: Bool) -> String {
        let detail =
            (response.headers["Warning"] ?? response.headers["Reason"])
            .map { " (\($0.withoutControls(keepingLines: false)))" } ?? ""
        let answer = "\(response.status) \(response.phrase)\(detail)"
        return switch response.status {
        case 401, 407: "wrong name or password"
        case 403: "only who takes part in the room may: \(answer)"
        case 404, 410: isPull ? "the room has this file no longer: \(answer)" : "there is no such room: \(answer)"
        case 413: "it is too large for this room: \(answer)"
        case 415, 488: isPull ? "the room can't give it: \(answer)" : "the room takes no files like this one: \(answer)"
        case 480, 486, 503: "the room can't do that now, try again later: \(answer)"
        case 507: "the room has no space left: \(answer)"
        default: answer
        }
    }

    /// The same of the MSRP session.
    static func refusal(_ status: Status) -> String {
        switch status.code {
        case 403: "the room does not allow it"
        case 408, 481: "the room has ended it (\(status))"
        case 413: "the room stopped it: too large, no space left, or not the file that was announced"
        case 415: "the room takes no files of this type"
        default: "the room refused it: \(status)"
        }
    }
}
