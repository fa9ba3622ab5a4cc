#if canImport(Glibc)
    internal import Glibc
#endif

/// Tells the service manager that started us, if one did, how far we are (sd_notify(3)): `Type=notify-reload` or
/// `Type=notify` in a systemd unit.
enum ServiceManager {
    static func ready() { notify("READY=1") }

    static func reloading() {
        var now = timespec()
        clock_gettime(CLOCK_MONOTONIC, &now)
        notify("RELOADING=1\nMONOTONIC_USEC=\(now.tv_sec * 1_000_000 + now.tv_nsec / 1000)")
    }

    static func stopping() { notify("STOPPING=1") }

    private static func notify(_ text: String) {
        guard let path = getenv("NOTIFY_SOCKET") else { return }
        _ = UnixDatagram().send(Array(text.utf8), to: String(cString: path))
    }
}
