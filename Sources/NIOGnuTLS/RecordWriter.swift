import NIOCore

/// Encrypts a run of writes into as few records as they fill.
enum RecordWriter {
    /// Large writes are encrypted where they lie; small ones and the ends of large ones are gathered, so
    /// that no record but the last is shorter than it could be.
    static func encrypt(
        _ writes: [PendingWrites.Write], session: TLSSession, scratch: TLSScratch?
    ) throws(TLSError) {
        let total = writes.reduce(0) { $0 + $1.bytes.readableBytes }
        let records = total / TLSSession.largestRecord + 1
        let capacity = total + records * TLSSession.largestRecordOverhead
        session.lendOutput(scratch?.takeCiphertext(capacity: capacity) ?? ByteBuffer.ofCapacity(capacity))

        if writes.count == 1 {
            return try encrypt(writes[0].bytes.readableBytesView[...], session)
        }
        let gatherCapacity = min(total, TLSSession.largestRecord)
        var gathered = scratch?.takeRecord(capacity: gatherCapacity) ?? ByteBuffer.ofCapacity(gatherCapacity)
        defer { scratch?.giveRecord(gathered) }
        for write in writes {
            var bytes = write.bytes
            while bytes.readableBytes > 0 {
                if gathered.readableBytes == 0, bytes.readableBytes >= TLSSession.largestRecord,
                    let record = bytes.readSlice(length: TLSSession.largestRecord)
                {
                    try encrypt(record.readableBytesView[...], session)
                    continue
                }
                let room = TLSSession.largestRecord - gathered.readableBytes
                if var part = bytes.readSlice(length: min(room, bytes.readableBytes)) { gathered.writeBuffer(&part) }
                if gathered.readableBytes == TLSSession.largestRecord {
                    try encrypt(gathered.readableBytesView[...], session)
                    gathered.clear()
                }
            }
        }
        try encrypt(gathered.readableBytesView[...], session)
    }

    private static func encrypt(_ bytes: ByteBufferView, _ session: TLSSession) throws(TLSError) {
        let result = bytes.withUnsafeBytes { bytes in
            Result { () throws(TLSError) in
                var offset = 0
                while offset < bytes.count {
                    let end = min(offset + TLSSession.largestRecord, bytes.count)
                    try session.write(UnsafeRawBufferPointer(rebasing: bytes[offset..<end]))
                    offset = end
                }
            }
        }
        try result.get()
    }
}

extension ByteBuffer {
    fileprivate static func ofCapacity(_ capacity: Int) -> ByteBuffer {
        var buffer = ByteBuffer()
        buffer.reserveCapacity(capacity)
        return buffer
    }
}
