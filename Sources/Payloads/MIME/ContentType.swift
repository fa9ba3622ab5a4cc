/// The value of a Content-Type header (RFC 2045 section 5.1).
package struct ContentType: Sendable, Hashable {
    package struct Parameter: Sendable, Hashable {
        /// Lower-cased.
        package var name: String
        /// Without quotes.
        package var value: String

        package init(name: String, value: String) {
            self.name = ASCII.lowercased(name)
            self.value = value
        }
    }

    /// Parameters of a peer's header that are read.
    static let parameterLimit = 32

    /// Lower-cased.
    package var type: String
    /// Lower-cased.
    package var subtype: String
    package var parameters: [Parameter]

    package init(type: String, subtype: String, parameters: [Parameter] = []) {
        self.type = ASCII.lowercased(type)
        self.subtype = ASCII.lowercased(subtype)
        self.parameters = parameters
    }

    /// Nil for what has no `type/subtype`. Parameters that are no parameters are left out: real peers send such.
    package init?(parsing value: some StringProtocol) {
        self.init(parsing: Array(value.utf8)[...])
    }

    /// Nil for what has no `type/subtype`.
    package init?(parsing octets: ArraySlice<UInt8>) {
        let essence = ASCII.trimmed(octets.prefix { $0 != UInt8(ascii: ";") })
        guard let slash = essence.firstIndex(of: UInt8(ascii: "/")), ASCII.isToken(essence[..<slash]),
            ASCII.isToken(essence[(slash + 1)...])
        else { return nil }
        self.init(
            type: String(decoding: essence[..<slash], as: UTF8.self),
            subtype: String(decoding: essence[(slash + 1)...], as: UTF8.self),
            parameters: HeaderParameters.parse(octets.drop { $0 != UInt8(ascii: ";") }, limit: Self.parameterLimit))
    }

    /// "type/subtype".
    package var essence: String { "\(type)/\(subtype)" }

    package func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// The value to write, parameters quoted where they must be.
    package var value: String {
        parameters.reduce(essence) { text, parameter in
            "\(text);\(parameter.name)=\(HeaderParameters.quoted(parameter.value))"
        }
    }
}

/// `;name=value` behind a header's value (RFC 2045 section 5.1).
enum HeaderParameters {
    static func parse(_ octets: ArraySlice<UInt8>, limit: Int) -> [ContentType.Parameter] {
        var parameters: [ContentType.Parameter] = []
        var rest = octets
        while rest.first == UInt8(ascii: ";"), parameters.count < limit {
            rest = rest.dropFirst()
            let name = ASCII.trimmed(rest.prefix { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") })
            rest = rest.drop { $0 != UInt8(ascii: "=") && $0 != UInt8(ascii: ";") }
            guard rest.first == UInt8(ascii: "=") else { continue }
            rest = rest.dropFirst().drop(while: ASCII.isBlank)
            var value: [UInt8] = []
            if rest.first == ASCII.quote {
                rest = rest.dropFirst()
                while let octet = rest.popFirst(), octet != ASCII.quote {
                    value.append(octet == ASCII.backslash ? rest.popFirst() ?? octet : octet)
                }
            } else {
                value = Array(ASCII.trimmed(rest.prefix { $0 != UInt8(ascii: ";") }))
            }
            rest = rest.drop { $0 != UInt8(ascii: ";") }
            guard ASCII.isToken(name) else { continue }
            parameters.append(
                .init(name: String(decoding: name, as: UTF8.self), value: String(decoding: value, as: UTF8.self)))
        }
        return parameters
    }

    static func quoted(_ value: String) -> String {
        guard !ASCII.isToken(value.utf8) else { return value }
        var output = [ASCII.quote]
        for octet in value.utf8 where octet != ASCII.carriageReturn && octet != ASCII.lineFeed && octet != 0 {
            if octet == ASCII.quote || octet == ASCII.backslash { output.append(ASCII.backslash) }
            output.append(octet)
        }
        output.append(ASCII.quote)
        return String(decoding: output, as: UTF8.self)
    }
}
