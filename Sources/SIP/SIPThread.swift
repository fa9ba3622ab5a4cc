import CSofia
import Glibc
import Logging

/// The thread that Sofia's loop runs on, from start to end.
enum SIPThread {
    typealias Started = @Sendable (Result<SIPStack, SIPStartError>) -> Void

    /// Deep enough for the library's recursive parsers.
    private static let stackSize = 8 * 1024 * 1024

    /// `started` is called once, on the new thread.
    static func start(
        _ configuration: SIPConfiguration, certificates: String?, logger: Logger, started: @escaping Started
    ) {
        let bridge = Bridge(configuration, certificates: certificates, logger: logger, started: started)
        var attributes = pthread_attr_t()
        pthread_attr_init(&attributes)
        pthread_attr_setstacksize(&attributes, stackSize)
        pthread_attr_setdetachstate(&attributes, Int32(PTHREAD_CREATE_DETACHED))
        defer { pthread_attr_destroy(&attributes) }
        let argument = Unmanaged.passRetained(bridge)
        var thread = pthread_t()
        let failure = pthread_create(&thread, &attributes, SIPThread.run, argument.toOpaque())
        if failure != 0 {
            argument.release()
            started(.failure(.library(String(cString: strerror(failure)))))
        }
    }

    private static let run: @convention(c) (UnsafeMutableRawPointer?) -> UnsafeMutableRawPointer? = { argument in
        guard let argument else { return nil }
        let executor = Unmanaged<Bridge>.fromOpaque(argument).takeRetainedValue().run()
        SIPExecutor.serveRemainingJobs(of: executor)
        return nil
    }
}

/// What C's callbacks find their way by. Lives on the SIP thread only, after it was made.
private final class Bridge {
    private let configuration: SIPConfiguration
    private let certificates: String?
    private let logger: Logger
    private let started: SIPThread.Started
    private let executor = SIPExecutor()
    private var stack: SIPStack?

    init(
        _ configuration: SIPConfiguration, certificates: String?, logger: Logger, started: @escaping SIPThread.Started
    ) {
        self.configuration = configuration
        self.certificates = certificates
        self.logger = logger
        self.started = started
    }

    /// Runs Sofia until it is shut down.
    func run() -> SIPExecutor {
        executor.adoptCurrentThread()
        var c = cs_configuration()
        c.minimum_session_expires =
            configuration.sessionTimer.interval > 0 ? UInt32(clamping: configuration.sessionTimer.minimum) : 0
        c.maximum_message_size = UInt32(clamping: configuration.maximumMessageSize)
        c.maximum_pending = UInt32(clamping: configuration.maximumPendingTransactions)
        c.maximum_calls = UInt32(clamping: configuration.maximumCalls)
        c.maximum_dialogs = UInt32(clamping: configuration.maximumDialogs)
        c.verifies_peers = configuration.verifiesPeers ? 1 : 0
        c.maximum_connections = UInt32(clamping: configuration.maximumConnections)
        c.silent_connection_life = configuration.silentConnectionLife.milliseconds
        c.idle_connection_life = configuration.idleConnectionLife.milliseconds
        c.t1 = UInt32(clamping: configuration.retransmissionInterval)
        c.t1x64 = UInt32(clamping: configuration.transactionTimeout)
        c.log_level = logger.logLevel <= .trace ? 9 : logger.logLevel <= .debug ? 3 : 1
        c.context = Unmanaged.passUnretained(self).toOpaque()
        c.on_event = { context, event in Bridge.of(context)?.received(event) }
        c.on_arrival = { context, source in Bridge.of(context)?.secondsToWait(source) ?? 0 }
        c.on_log = { context, _, line in Bridge.of(context)?.logged(line) }
        c.on_started = { context, stack, index, reason in Bridge.of(context)?.opened(stack, Int(index), reason) }
        let listeners = configuration.listeners.map { cs_endpoint($0) }
        let lines: [String] = [
            configuration.product, configuration.allow.joined(separator: ", "),
            // "timer" is kept from the library.
            configuration.supported.filter { $0 != "timer" }.joined(separator: ", "),
            configuration.understood.joined(separator: ", "), configuration.allowEvents.joined(separator: ", "),
            configuration.accept.joined(separator: ", "),
        ]
        let texts: [UnsafeMutablePointer<CChar>?] = lines.map { line in strdup(line) }
        var directory: UnsafeMutablePointer<CChar>?
        if let certificates { directory = strdup(certificates) }
        defer {
            for text in texts { free(text) }
            free(directory)
        }
        listeners.withUnsafeBufferPointer { listeners in
            c.listeners = listeners.baseAddress
            c.listener_count = listeners.count
            c.certificate_directory = UnsafePointer(directory)
            c.product = UnsafePointer(texts[0])
            c.allow = UnsafePointer(texts[1])
            c.supported = UnsafePointer(texts[2])
            c.understood = UnsafePointer(texts[3])
            c.allow_events = UnsafePointer(texts[4])
            c.accept = UnsafePointer(texts[5])
            cs_run(&c)
        }
        stack?.assumeIsolated { $0.closed() }
        stack = nil
        return executor
    }

    fileprivate static func of(_ context: UnsafeMutableRawPointer?) -> Bridge? {
        context.map { Unmanaged<Bridge>.fromOpaque($0).takeUnretainedValue() }
    }

    private func opened(_ pointer: OpaquePointer?, _ failedListener: Int, _ reason: UnsafePointer<CChar>?) {
        guard let pointer else {
            executor.detach()
            let reason = reason.map { String(cString: $0) } ?? ""
            let listeners = configuration.listeners
            return started(
                .failure(
                    listeners.indices.contains(failedListener)
                        ? .listener(listeners[failedListener], reason: reason) : .library(reason)))
        }
        let stack = StackPointer(pointer: pointer)
        let listeners = (0..<cs_listener_count(pointer)).map { Endpoint(cs_listener(pointer, $0)) }
        let actor = SIPStack(
            stack: stack, executor: executor, listeners: listeners, configuration: configuration, logger: logger)
        self.stack = actor
        executor.attach(stack)
        started(.success(actor))
    }

    private func received(_ event: UnsafePointer<cs_event>?) {
        guard let event else { return }
        if event.pointee.kind == CS_JOBS { return executor.runJobs() }
        // Used on this thread only, before this returns.
        nonisolated(unsafe) let copy = event.pointee
        stack?.assumeIsolated { $0.handle(copy) }
    }

    private func secondsToWait(_ source: UnsafePointer<cs_endpoint>) -> UInt32 {
        let source = Endpoint(source.pointee)
        return stack?.assumeIsolated { $0.secondsToWait(source) } ?? 0
    }

    private func logged(_ line: UnsafePointer<CChar>?) {
        guard let line else { return }
        logger.debug("sofia: \(String(cString: line))")
    }
}

extension cs_endpoint {
    init(_ endpoint: Endpoint) {
        self.init()
        transport =
            switch endpoint.transport {
            case .udp: Int32(CS_UDP)
            case .tcp: Int32(CS_TCP)
            case .tls: Int32(CS_TLS)
            }
        port = Int32(clamping: endpoint.port)
        trusted = endpoint.isTrusted ? 1 : 0
        let name = endpoint.host == "*" ? "0.0.0.0" : endpoint.host
        withUnsafeMutableBytes(of: &host) { bytes in
            for (index, octet) in name.utf8.prefix(bytes.count - 1).enumerated() { bytes[index] = octet }
        }
    }
}

extension Duration {
    /// Whole milliseconds, within what C takes.
    var milliseconds: UInt32 {
        let (seconds, attoseconds) = components
        return UInt32(
            clamping: max(0, min(seconds, 4_000_000)) * 1000 + max(0, attoseconds / 1_000_000_000_000_000))
    }
}
