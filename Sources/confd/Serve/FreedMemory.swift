internal import CMalloc

/// Gives freed memory back to the operating system.
///
/// A burst of joins holds some KiB a call until its SIP transactions end, seconds later (RFC 3261 section 17.2.1,
/// timer I). The C library keeps what they free between what stays, and would do so for ever.
enum FreedMemory {
    static let interval: Duration = .seconds(5)
    /// Octets that must have become free since the last time.
    static let worthwhile = 1 << 20

    /// Looks every `interval` until the task is cancelled.
    static func giveBack() async {
        var kept = mallinfo2().fordblks
        while (try? await Task.sleep(for: interval)) != nil {
            let free = mallinfo2().fordblks
            if free > kept + worthwhile {
                malloc_trim(0)
                kept = mallinfo2().fordblks
            } else {
                kept = min(kept, free)
            }
        }
    }
}
