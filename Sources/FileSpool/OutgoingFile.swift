package import NIOCore
import NIOPosix
import Synchronization

/// A file that is being sent: its octets, read by the spool's threads as they are asked for.
package final class OutgoingFile: Sendable {
    package let file: SpooledFile
    private let folder: SpoolFolder
    private let pool: NIOThreadPool
    private let descriptor = Mutex(Descriptor.unopened)

    private enum Descriptor: Sendable {
        case unopened
        case open(CInt)
        case failed(SpoolRefusal)
        case closed
    }

    init(_ file: SpooledFile, folder: SpoolFolder, pool: NIOThreadPool) {
        self.file = file
        self.folder = folder
        self.pool = pool
        pool.submit { _ in _ = try? self.opened() }
    }

    deinit {
        descriptor.withLock { state in
            if case .open(let number) = state { pool.submit { _ in SpoolFolder.shut(number) } }
        }
    }

    /// Reads octets; exactly as many as asked for.
    /// - Parameter then: called once, on the event loop.
    package func read(
        at offset: Int, count: Int, on eventLoop: any EventLoop,
        then: @escaping @Sendable (Result<ByteBuffer, SpoolRefusal>) -> Void
    ) {
        pool.submit { _ in
            let result = Result { () throws(SpoolRefusal) in try self.readNow(at: offset, count: count) }
            eventLoop.execute { then(result) }
        }
    }

    /// Nothing is read any more.
    package func close() {
        pool.submit { _ in
            self.descriptor.withLock { state in
                if case .open(let number) = state { SpoolFolder.shut(number) }
                state = .closed
            }
        }
    }

    private func opened() throws(SpoolRefusal) -> CInt {
        try descriptor.withLock { state throws(SpoolRefusal) in
            switch state {
            case .open(let number): return number
            case .failed(let refusal): throw refusal
            case .closed: throw .noSuchFile
            case .unopened:
                do throws(SpoolRefusal) {
                    let number = try folder.openForReading(file.id)
                    state = .open(number)
                    return number
                } catch {
                    state = .failed(error)
                    throw error
                }
            }
        }
    }

    private func readNow(at offset: Int, count: Int) throws(SpoolRefusal) -> ByteBuffer {
        let number = try opened()
        var buffer = ByteBufferAllocator().buffer(capacity: count)
        var failure: SpoolRefusal?
        buffer.writeWithUnsafeMutableBytes(minimumWritableBytes: count) { space in
            do throws(SpoolRefusal) {
                return try SpoolFolder.read(
                    into: UnsafeMutableRawBufferPointer(rebasing: space[..<count]), from: number, at: offset)
            } catch {
                failure = error
                return 0
            }
        }
        if let failure { throw failure }
        guard buffer.readableBytes == count else { throw .disk("a file is shorter than it was") }
        return buffer
    }
}
