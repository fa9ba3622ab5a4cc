internal import NIOCore

/// Buffers that the TLS connections of one event loop use in turn, so that an idle one keeps none.
/// Make one per loop, on or off it, and hand it to every handler of that loop; a handler without one
/// allocates as it goes.
package final class TLSScratch {
    package init() {}
}

@available(*, unavailable)
extension TLSScratch: Sendable {}
