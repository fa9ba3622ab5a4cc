import CSofia
import Glibc
import Synchronization

/// Runs jobs on Sofia's thread.
///
/// Jobs wait in an array; the first one posts a wake-up into Sofia's loop, which then runs all of them in one go, so
/// that sockets are still served between batches. Once Sofia's loop has ended, the thread serves jobs alone, so that
/// an actor on this executor never hangs.
final class SIPExecutor: SerialExecutor {
    private struct State {
        var jobs: [UnownedJob] = []
        /// A wake-up has been posted and not yet been served.
        var isPosted = false
        var wake: Wake = .starting
    }

    /// How the thread is woken.
    private enum Wake {
        case starting
        case loop(StackPointer)
        case semaphore
    }

    private let state = Mutex(State())
    private let semaphore = Semaphore()
    /// The thread's id, 0 until it runs.
    private let thread = Atomic<UInt>(0)

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        state.withLock { state in
            state.jobs.append(job)
            guard !state.isPosted else { return }
            state.isPosted = true
            // Under the lock: the loop cannot end between the look at `wake` and the post.
            wake(state.wake)
        }
    }

    private func wake(_ wake: Wake) {
        switch wake {
        case .starting: break
        case .loop(let stack): cs_post(stack.pointer)
        case .semaphore: semaphore.signal()
        }
    }

    func checkIsolated() {
        precondition(isCurrentThread, "not on the SIP thread")
    }

    func isIsolatingCurrentContext() -> Bool? { isCurrentThread }

    var isCurrentThread: Bool { thread.load(ordering: .relaxed) == UInt(pthread_self()) }

    /// Called on the thread itself, first of all.
    func adoptCurrentThread() {
        thread.store(UInt(pthread_self()), ordering: .relaxed)
    }

    /// From now on jobs wake Sofia's loop.
    func attach(_ stack: StackPointer) {
        state.withLock { state in
            state.wake = .loop(stack)
            if state.isPosted { wake(state.wake) }
        }
    }

    /// From now on jobs wake `runUntilReleased`; called on the thread before Sofia's loop goes away.
    func detach() {
        state.withLock { state in
            state.wake = .semaphore
            if state.isPosted { wake(state.wake) }
        }
    }

    /// Runs what has been queued so far; on the thread only.
    func runJobs() {
        let jobs = state.withLock { state in
            state.isPosted = false
            return exchange(&state.jobs, with: [])
        }
        for job in jobs { job.runSynchronously(on: asUnownedSerialExecutor()) }
    }

    /// Serves jobs after Sofia's loop has ended, until nobody holds the executor any more.
    static func serveRemainingJobs(of executor: consuming SIPExecutor) {
        let semaphore = executor.semaphore
        weak let remaining: SIPExecutor? = executor
        executor.runJobs()
        _ = consume executor
        while true {
            // A look now and then is enough to notice that the executor is gone; jobs signal.
            semaphore.wait(milliseconds: 1000)
            guard let executor = remaining else { return }
            executor.runJobs()
        }
    }
}

/// Sofia's stack as a value that may cross threads. Only `cs_post` may be called with it off the SIP thread, and only
/// while the executor is attached to it.
struct StackPointer: @unchecked Sendable {
    // Sendable: the pointer is a constant, and what it points to is used as the type's comment says.
    let pointer: OpaquePointer
}

/// A POSIX semaphore.
private final class Semaphore: Sendable {
    // Sendable: a sem_t may be used from any thread; its memory is ours and does not move.
    nonisolated(unsafe) private let semaphore = UnsafeMutablePointer<sem_t>.allocate(capacity: 1)

    init() { sem_init(semaphore, 0, 0) }

    deinit {
        sem_destroy(semaphore)
        semaphore.deallocate()
    }

    func signal() { sem_post(semaphore) }

    func wait(milliseconds: Int) {
        var deadline = timespec()
        clock_gettime(CLOCK_REALTIME, &deadline)
        deadline.tv_sec += milliseconds / 1000
        deadline.tv_nsec += (milliseconds % 1000) * 1_000_000
        if deadline.tv_nsec >= 1_000_000_000 {
            deadline.tv_sec += 1
            deadline.tv_nsec -= 1_000_000_000
        }
        sem_timedwait(semaphore, &deadline)
    }
}

/// Replaces a value and returns the old one.
func exchange<T>(_ value: inout T, with replacement: T) -> T {
    let old = value
    value = replacement
    return old
}
