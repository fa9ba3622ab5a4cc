package import NIOCore

/// A whole message that came in, its chunks put together.
package struct Message: Sendable {
    package let messageID: MessageID
    /// The Content-Type as written.
    package let contentType: String
    package let body: ByteBuffer
    /// The head of the chunk that started at position one: extension header fields, reports wanted, From-Path.
    package let head: Head

    package init(messageID: MessageID, contentType: String, body: ByteBuffer, head: Head) {
        self.messageID = messageID
        self.contentType = contentType
        self.body = body
        self.head = head
    }

    package var successReport: SuccessReport { head.successReport }
    package var failureReport: FailureReport { head.failureReport }
}

/// A message to send.
package struct OutgoingMessage: Sendable {
    package var messageID: MessageID
    package var contentType: String
    package var body: ByteBuffer
    /// Written when not nil; absent means no.
    package var successReport: SuccessReport?
    /// Written when not nil; absent means yes.
    package var failureReport: FailureReport?
    /// Further header fields, written before the Content-Type.
    package var headers: [(name: String, value: String)]

    package init(
        messageID: MessageID, contentType: String, body: ByteBuffer, successReport: SuccessReport? = nil,
        failureReport: FailureReport? = nil, headers: [(name: String, value: String)] = []
    ) {
        self.messageID = messageID
        self.contentType = contentType
        self.body = body
        self.successReport = successReport
        self.failureReport = failureReport
        self.headers = headers
    }
}

/// What became of an outgoing message. Each message sent with `EndpointSession.send` has exactly one of these.
package struct Delivery: Sendable, Hashable {
    package enum Outcome: Sendable, Hashable {
        /// All its chunks were answered with 200, or went out without asking for answers.
        case acknowledged
        /// The peer refused it.
        case failed(Status)
        /// 30 seconds without an answer, or a 408 (RFC 4975 sections 7.1.1 and 10.4).
        case timedOut
    }
    package let messageID: MessageID
    package let outcome: Outcome

    package init(messageID: MessageID, outcome: Outcome) {
        self.messageID = messageID
        self.outcome = outcome
    }
}

/// A REPORT that came in.
package struct Report: Sendable, Hashable {
    package let messageID: MessageID
    /// 0 for the codes of RFC 4975.
    package let namespace: Int
    package let status: Status
    /// Nil when it names no range.
    package let byteRange: ByteRange?

    package init(messageID: MessageID, namespace: Int, status: Status, byteRange: ByteRange?) {
        self.messageID = messageID
        self.namespace = namespace
        self.status = status
        self.byteRange = byteRange
    }
}
