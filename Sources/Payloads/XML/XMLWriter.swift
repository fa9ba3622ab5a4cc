/// Writes elements. Names are ours and written as they are; values are escaped.
struct XMLWriter {
    static let declaration = #"<?xml version="1.0" encoding="UTF-8"?>"# + "\n"

    private(set) var octets: [UInt8] = []

    init(reserving capacity: Int = 256) {
        octets.reserveCapacity(capacity)
    }

    mutating func declare() { octets += Self.declaration.utf8 }

    /// Attributes without a value are left out.
    mutating func start(_ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:]) {
        open(name, attributes)
        octets.append(UInt8(ascii: ">"))
    }

    mutating func end(_ name: StaticString) {
        octets += "</".utf8
        append(name)
        octets.append(UInt8(ascii: ">"))
    }

    /// An element without content.
    mutating func empty(_ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?> = [:]) {
        open(name, attributes)
        octets += "/>".utf8
    }

    /// An element of characters; nothing when there is no value.
    mutating func element(_ name: StaticString, _ value: String?) {
        guard let value else { return }
        start(name)
        text(value)
        end(name)
    }

    /// An element of type `xs:anyURI`; nothing when there is no value.
    mutating func uri(_ name: StaticString, _ value: String?) { element(name, value.map { XMLText.uri($0) }) }

    mutating func text(_ text: String) { XMLText.append(text, isAttribute: false, to: &octets) }

    /// A fragment that is XML already.
    mutating func raw(_ fragment: [UInt8]) { octets += fragment }

    /// An element as it was read. Each declares its namespace itself; prefixes are drawn anew.
    mutating func element(_ element: XMLElement) {
        octets += "<\(element.name)".utf8
        attribute("xmlns", element.namespace)
        for (number, attribute) in element.attributes.enumerated() {
            if attribute.namespace.isEmpty {
                self.attribute(attribute.name, attribute.value)
            } else if attribute.namespace == XMLNamespace.xml {
                self.attribute("xml:\(attribute.name)", attribute.value)
            } else {
                self.attribute("xmlns:n\(number)", attribute.namespace)
                self.attribute("n\(number):\(attribute.name)", attribute.value)
            }
        }
        octets.append(UInt8(ascii: ">"))
        text(element.children.isEmpty ? element.text : element.trimmedText)
        for child in element.children { self.element(child) }
        octets += "</\(element.name)>".utf8
    }

    private mutating func open(_ name: StaticString, _ attributes: KeyValuePairs<StaticString, String?>) {
        octets.append(UInt8(ascii: "<"))
        append(name)
        for (name, value) in attributes {
            guard let value else { continue }
            octets.append(ASCII.space)
            append(name)
            octets += "=\"".utf8
            XMLText.append(value, isAttribute: true, to: &octets)
            octets.append(ASCII.quote)
        }
    }

    private mutating func attribute(_ name: String, _ value: String) {
        octets += " \(name)=\"".utf8
        XMLText.append(value, isAttribute: true, to: &octets)
        octets.append(ASCII.quote)
    }

    private mutating func append(_ name: StaticString) {
        name.withUTF8Buffer { octets.append(contentsOf: $0) }
    }
}
