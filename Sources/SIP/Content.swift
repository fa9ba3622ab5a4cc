import CSofia

/// What goes out with a message, laid out for C while a closure runs.
struct Content {
    var contact: String?
    var headers: [HeaderField] = []
    /// Headers that the library shall not understand; at most four.
    var opaqueHeaders: [HeaderField] = []
    var body: MessageBody?

    func withC<R>(_ operation: (UnsafePointer<cs_content>) -> R) -> R {
        var lines = ""
        for field in headers { lines += "\(field.name.withoutLineBreaks): \(field.value.withoutLineBreaks)\r\n" }
        let octets = body?.content ?? []
        return withOptionalCString(contact?.withoutLineBreaks) { contact in
            withOptionalCString(lines.isEmpty ? nil : lines) { lines in
                withOptionalCString(body?.contentType.withoutLineBreaks) { contentType in
                    octets.withUnsafeBufferPointer { buffer in
                        withOptionalCString(opaque(0)) { first in
                            withOptionalCString(opaque(1)) { second in
                                withOptionalCString(opaque(2)) { third in
                                    withOptionalCString(opaque(3)) { fourth in
                                        var content = cs_content()
                                        content.contact = contact
                                        content.headers = lines
                                        content.opaque_headers = (first, second, third, fourth)
                                        content.content_type = contentType
                                        content.body = cs_bytes(bytes: buffer.baseAddress, count: buffer.count)
                                        return operation(&content)
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

extension Content {
    private func opaque(_ index: Int) -> String? {
        guard opaqueHeaders.indices.contains(index) else { return nil }
        return "\(opaqueHeaders[index].name): \(opaqueHeaders[index].value.withoutLineBreaks)"
    }
}

/// Where a request of ours goes, laid out for C while a closure runs.
struct Destination {
    let target: SIPURI
    let from: String
    let to: String?
    let route: Endpoint?
    let identity: RequestIdentity?
    /// The name that the peer's certificate must show, where `route` is an address found for it.
    var name: String?

    func withC<R>(_ operation: (UnsafePointer<cs_destination>) -> R) -> R {
        target.withoutHeaders.description.withoutLineBreaks.withCString { target in
            from.withoutLineBreaks.withCString { from in
                (to ?? "<\(self.target.withoutTransport)>").withoutLineBreaks.withCString { to in
                    withOptionalCString(route?.routeURI(named: name)) { route in
                        withOptionalCString(identity?.callID) { callID in
                            var destination = cs_destination(
                                target: target, from: from, to: to, route: route, call_id: callID,
                                sequence: identity?.sequence ?? 0)
                            return operation(&destination)
                        }
                    }
                }
            }
        }
    }
}

extension SIPURI {
    /// As a request line may show it. The library would make header fields of what stands behind `?`: nobody who is
    /// called at another's word may be sent headers of that one's choice.
    var withoutHeaders: SIPURI {
        var uri = self
        uri.headers = nil
        uri.parameters.removeAll { $0.name.equalsIgnoringCase("method") }
        return uri
    }

    /// As To and From may show it: those have no transport, maddr, ttl, method, port or headers (RFC 3261 section
    /// 19.1.1).
    var withoutTransport: SIPURI {
        var uri = self
        uri.headers = nil
        uri.parameters.removeAll { parameter in
            ["transport", "maddr", "ttl", "method", "lr"].contains { $0.equalsIgnoringCase(parameter.name) }
        }
        return uri
    }
}

func withOptionalCString<R>(_ text: String?, _ operation: (UnsafePointer<CChar>?) -> R) -> R {
    guard let text else { return operation(nil) }
    return text.withCString { operation($0) }
}

extension String {
    /// Nothing put into a header may end its line.
    var withoutLineBreaks: String {
        utf8.contains { $0 == 0x0d || $0 == 0x0a || $0 == 0 }
            ? String(decoding: utf8.map { $0 == 0x0d || $0 == 0x0a || $0 == 0 ? 0x20 : $0 }, as: UTF8.self) : self
    }
}
