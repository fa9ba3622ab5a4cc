extension ResourceList {
    /// The document.
    package func xml() -> [UInt8] { [] }

    /// What each of the recipients may know of the others (RFC 5364 section 4): `bcc` left out, the anonymized as
    /// `sip:anonymous@anonymous.invalid` with their count. Nil when nothing is left.
    package static func history(of recipients: [Recipient]) -> ResourceList? { nil }
}
