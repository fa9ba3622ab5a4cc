import CLibXML2

/// A document of a peer, read by libxml2 within bounds.
///
/// Nothing is fetched and nothing is expanded: a document type declaration, where entities come from, is refused.
/// What could make the parser work hard is looked for before it starts (`XMLScreen`); depth and number of elements are
/// counted as it goes. Only UTF-8 is read, whatever the document says it is.
package struct XMLDocument: Sendable, Hashable {
    package let root: XMLElement

    /// - Throws: `XMLError`.
    package init(parsing octets: some Collection<UInt8>, limits: XMLLimits = XMLLimits()) throws(XMLError) {
        guard octets.count <= limits.octets else { throw .tooLong }
        let octets = Array(octets)
        try XMLScreen.check(octets, limits: limits)
        root = try XMLReading.parse(octets, limits: limits)
    }

    /// A document whose root is this element.
    /// - Throws: `XMLError`; `.unexpected` for another root.
    init(
        parsing octets: some Collection<UInt8>, root name: String, in namespace: String, limits: XMLLimits
    ) throws(XMLError) {
        try self.init(parsing: octets, limits: limits)
        guard root.is(name, in: namespace) else { throw .unexpected(root.name) }
    }
}

/// What libxml2 tells while it reads, put together.
private final class XMLReading {
    /// Elements that have begun and not ended, the root first.
    private var open: [XMLElement] = []
    private var root: XMLElement?
    private var elements = 0
    private var error: XMLError?
    private let limits: XMLLimits
    private let context: xmlParserCtxtPtr

    private init(context: xmlParserCtxtPtr, limits: XMLLimits) {
        self.context = context
        self.limits = limits
    }

    /// Once per process and before anything else, as libxml2 wants it.
    private static let library: Void = xmlInitParser()

    static func parse(_ octets: [UInt8], limits: XMLLimits) throws(XMLError) -> XMLElement {
        _ = library
        guard let context = xmlNewParserCtxt(), let handler = context.pointee.sax else { throw .malformed(line: 0) }
        defer { xmlFreeParserCtxt(context) }
        handler.pointee = callbacks()
        let reading = XMLReading(context: context, limits: limits)
        context.pointee.userData = Unmanaged.passUnretained(reading).toOpaque()
        // NOENT: without it an ampersand in an attribute is given as "&#38;". There are no entities but XML's own five.
        let options =
            XML_PARSE_NOENT.rawValue | XML_PARSE_NONET.rawValue | XML_PARSE_NOERROR.rawValue
            | XML_PARSE_NOWARNING.rawValue
        withExtendedLifetime(reading) {
            octets.withUnsafeBytes { buffer in
                // The handler builds no tree of libxml2's; should there be one, it goes.
                let tree = xmlCtxtReadMemory(
                    context, buffer.bindMemory(to: CChar.self).baseAddress, CInt(buffer.count), nil, "UTF-8",
                    CInt(bitPattern: options))
                if let tree { xmlFreeDoc(tree) }
            }
        }
        if let error = reading.error { throw error }
        guard context.pointee.wellFormed == 1, context.pointee.nsWellFormed == 1, let root = reading.root else {
            throw .malformed(line: Int(context.pointee.lastError.line))
        }
        return root
    }

    private func stop(_ error: XMLError) {
        if self.error == nil { self.error = error }
        xmlStopParser(context)
    }

    private func started(_ element: XMLElement) {
        elements += 1
        guard open.count < limits.depth else { return stop(.tooDeep) }
        guard elements <= limits.elements else { return stop(.tooManyElements) }
        open.append(element)
    }

    private func ended() {
        guard let element = open.popLast() else { return }
        if open.isEmpty { root = element } else { open[open.count - 1].children.append(element) }
    }

    private func characters(_ octets: UnsafeBufferPointer<UInt8>) {
        guard !open.isEmpty else { return }
        open[open.count - 1].text += String(decoding: octets, as: UTF8.self)
    }

    // MARK: Callbacks

    /// The reading behind a callback's context; it outlives the parser's run.
    private static func of(_ user: UnsafeMutableRawPointer?) -> XMLReading? {
        user.map { Unmanaged<XMLReading>.fromOpaque($0).takeUnretainedValue() }
    }

    private static func string(_ text: UnsafePointer<xmlChar>?) -> String { text.map { String(cString: $0) } ?? "" }

    private static func callbacks() -> xmlSAXHandler {
        var handler = xmlSAXHandler()
        handler.initialized = XML_SAX2_MAGIC
        handler.startElementNs = { user, name, _, namespace, _, _, count, _, attributes in
            let element = XMLElement(
                namespace: XMLReading.string(namespace), name: XMLReading.string(name),
                attributes: XMLReading.attributes(attributes, count: Int(count)))
            XMLReading.of(user)?.started(element)
        }
        handler.endElementNs = { user, _, _, _ in XMLReading.of(user)?.ended() }
        let characters: charactersSAXFunc = { user, text, length in
            XMLReading.of(user)?.characters(UnsafeBufferPointer(start: text, count: Int(length)))
        }
        handler.characters = characters
        handler.ignorableWhitespace = characters
        handler.cdataBlock = characters
        handler.internalSubset = { user, _, _, _ in XMLReading.of(user)?.stop(.documentType) }
        // Without this libxml2 may print.
        handler.serror = { _, _ in }
        return handler
    }

    /// Five pointers each: local name, prefix, namespace, the value and its end.
    private static func attributes(
        _ fields: UnsafeMutablePointer<UnsafePointer<xmlChar>?>?, count: Int
    ) -> [XMLElement.Attribute] {
        guard let fields else { return [] }
        return (0..<count).map { index in
            let field = fields + index * 5
            var value = ""
            if let start = field[3], let end = field[4] {
                value = String(decoding: UnsafeBufferPointer(start: start, count: end - start), as: UTF8.self)
            }
            return .init(namespace: string(field[2]), name: string(field[0]), value: value)
        }
    }
}
