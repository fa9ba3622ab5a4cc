/// The value of a Content-Type header (RFC 2045 section 5.1).
package struct ContentType: Sendable, Hashable {
    package struct Parameter: Sendable, Hashable {
        /// Lower-cased.
        package var name: String
        /// Without quotes.
        package var value: String

        package init(name: String, value: String) {
            self.name = name
            self.value = value
        }
    }

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

    package init?(parsing octets: ArraySlice<UInt8>) {
        return nil
    }

    /// "type/subtype".
    package var essence: String { "\(type)/\(subtype)" }

    package func parameter(_ name: String) -> String? { parameters.first { $0.name == name }?.value }

    /// The value to write, parameters quoted where they must be.
    package var value: String { essence }
}
