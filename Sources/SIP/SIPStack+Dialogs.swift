extension SIPStack {
    /// Answers a SUBSCRIBE or REFER that came as `SIPEvent.request` with a 2xx, and keeps the dialog this makes
    /// until `close`. Nil when the transaction is gone, or the request came within a dialog already.
    package func accept(
        _ transaction: Transaction, status: Int, contact: String, headers: [HeaderField] = []
    ) -> Dialog? {
        nil
    }

    /// Sends a request within a dialog; its responses come as `SIPEvent.answer`.
    ///
    /// A message too large for a datagram is sent over TCP where the dialog's way is UDP; where TCP is refused and no
    /// datagram takes it, the answer is a local 513.
    package func send(
        _ method: String, within dialog: DialogReference, contact: String? = nil, headers: [HeaderField] = [],
        body: MessageBody? = nil
    ) -> Exchange {
        lastLocalCall &-= 1
        return Exchange(id: lastLocalCall)
    }

    /// Sends later requests of this dialog to `endpoint` whatever the Contact says.
    package func setRoute(_ dialog: Dialog, _ endpoint: Endpoint?) {}

    /// The call whose dialog a Join, Replaces or Target-Dialog header names; nil when there is none.
    package func find(_ name: DialogName) -> Call? { nil }

    /// Forgets a dialog; later requests of the peer within it get 481.
    package func close(_ dialog: Dialog) {}
}
