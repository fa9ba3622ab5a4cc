/// Which table holds the accounts, and how its columns are called (`[Database]`). The defaults are those of OpenSIPS
/// and Kamailio, and of the embedded database.
package struct SubscriberTable: Sendable, Equatable {
    package var table = "subscriber"
    package var username = "username"
    package var domain = "domain"
    /// Read only where passwords are kept in clear text.
    package var password = "password"
    /// 32 hexadecimal digits (MD5), or 64 (SHA-256).
    package var ha1 = "ha1"
    /// Read when the table has such a column: 64 hexadecimal digits.
    package var ha1SHA256 = "ha1_sha256"
    /// Whether `password` is to be used, and no hash.
    package var hasClearTextPasswords = false

    package init() {}
}
