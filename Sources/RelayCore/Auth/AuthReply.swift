import DigestAuth
import MSRP
import NIOCore

/// Writes the answers to AUTH: to the whole From-Path, since all methods but SEND are answered end to end (RFC 4976
/// section 3), from the URI that was called, and both paths as they came.
enum AuthReply {
    /// - Parameter isAddressed: both paths were read; without it they are looked at again, and one that can't be read is
    ///   not repeated. Such a request gets 400, with what there is to address it.
    static func write(_ refusal: AuthRefusal, to head: Head, isAddressed: Bool, into buffer: inout ByteBuffer) {
        begin(refusal.status, head, isAddressed: isAddressed, &buffer)
        if let seconds = refusal.minimumExpires { Frame.writeHeader("Min-Expires", "\(seconds)", into: &buffer) }
        if let seconds = refusal.maximumExpires { Frame.writeHeader("Max-Expires", "\(seconds)", into: &buffer) }
        end(head, &buffer)
    }

    /// - Parameter algorithms: one header field each, in this order.
    static func write(
        _ challenge: AuthChallenge, algorithms: [DigestAlgorithm], opaque: String, to head: Head,
        into buffer: inout ByteBuffer
    ) {
        begin(.unauthorized, head, isAddressed: true, &buffer)
        for algorithm in algorithms {
            let offer = DigestOffer(
                realm: challenge.realm, nonce: challenge.nonce, opaque: opaque, algorithm: algorithm,
                isStale: challenge.isStale)
            Frame.writeHeader("WWW-Authenticate", offer.headerValue, into: &buffer)
        }
        end(head, &buffer)
    }

    static func write(_ grant: AuthGrant, usePath: String, to head: Head, into buffer: inout ByteBuffer) {
        begin(.ok, head, isAddressed: true, &buffer)
        Frame.writeHeader("Use-Path", usePath, into: &buffer)
        Frame.writeHeader("Authentication-Info", grant.authenticationInfo, into: &buffer)
        Frame.writeHeader("Expires", "\(grant.expires)", into: &buffer)
        end(head, &buffer)
    }

    private static func begin(_ status: Status, _ head: Head, isAddressed: Bool, _ buffer: inout ByteBuffer) {
        Frame.writeResponseStart(id: head.transactionID, status: status, into: &buffer)
        if isAddressed || head.fromPath != nil {
            buffer.writeStaticString("To-Path: ")
            head.withValue("From-Path") { _ = buffer.writeBytes($0) }
            buffer.writeStaticString("\r\n")
        }
        if isAddressed || head.toPath != nil {
            buffer.writeStaticString("From-Path: ")
            head.withValue("To-Path") { path in
                let first = path.prefix { $0 != UInt8(ascii: " ") && $0 != UInt8(ascii: "\t") }
                _ = buffer.writeBytes(UnsafeRawBufferPointer(rebasing: first))
            }
            buffer.writeStaticString("\r\n")
        }
    }

    private static func end(_ head: Head, _ buffer: inout ByteBuffer) {
        Frame.writeEndLine(id: head.transactionID, .complete, into: &buffer)
    }
}
