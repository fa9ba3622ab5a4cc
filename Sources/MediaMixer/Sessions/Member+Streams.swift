import MSRP
import MSRPTransport

extension Member {
    func takeStream(_ event: EndpointSession.Event, from connection: Connection) {}
}
