/// Why accounts can't be had from a database, worded for the operator: what is wrong, and what to do.
package struct StoreError: Error, Sendable, Equatable, CustomStringConvertible {
    /// The option of `[Database]` that is at fault.
    package enum Option: String, Sendable, CaseIterable {
        case uri
        case subscriberTable = "subscriber_table"
        case usernameColumn = "username_col"
        case domainColumn = "domain_col"
        case passwordColumn = "password_col"
        case ha1Column = "ha1_col"
    }

    /// Nil: no option of the configuration can help (the embedded database).
    package var option: Option?
    package var description: String

    package init(_ description: String, option: Option? = nil) {
        self.description = description
        self.option = option
    }
}
