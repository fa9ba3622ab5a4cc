extension PresenceRules {
    /// The document.
    package func xml() -> [UInt8] { [] }
}
