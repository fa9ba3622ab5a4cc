/// Why the server could not be started, or new settings not be taken, worded for its operator: what to change, and
/// where.
struct StartError: Error, Equatable, CustomStringConvertible {
    let section: String?
    let key: String?
    let text: String

    init(_ text: String) { self.init(nil, nil, text) }

    /// Of an option, which is named in front of the text.
    init(_ section: String?, _ key: String?, _ text: String) {
        self.section = section
        self.key = key
        self.text = text
    }

    /// `[MSRP] address: ...`
    var description: String {
        guard let section else { return text }
        return "[\(section)] \(key.map { "\($0): " } ?? ": ")\(text)"
    }

    /// The same with the place where the option was given: `config.ini:3: [MSRP] address: ...`
    func located(by source: SettingsSource) -> String {
        guard let section, let key else { return description }
        let origin = source.origin(of: key, in: section)
        if case .defaults = origin { return description }
        return Problem(origin, section: section, key: key, text).description
    }

    static func inUse(_ section: String, _ key: String, _ place: String) -> StartError {
        StartError(
            section, key,
            "\(place) is in use by another program; end that, or choose another port in [\(section)] \(key)")
    }
}
