/// An element of a document that was read: namespaces resolved, comments and processing instructions left out.
package struct XMLElement: Sendable, Hashable {
    package struct Attribute: Sendable, Hashable {
        /// Empty for an attribute without a prefix.
        package var namespace: String
        package var name: String
        package var value: String

        package init(namespace: String = "", name: String, value: String) {
            self.namespace = namespace
            self.name = name
            self.value = value
        }
    }

    /// Empty for none.
    package var namespace: String
    /// The local name.
    package var name: String
    package var attributes: [Attribute]
    /// The element's own characters, wherever among its children they stand.
    package var text: String
    package var children: [XMLElement]

    package init(
        namespace: String = "", name: String, attributes: [Attribute] = [], text: String = "",
        children: [XMLElement] = []
    ) {
        self.namespace = namespace
        self.name = name
        self.attributes = attributes
        self.text = text
        self.children = children
    }

    package func `is`(_ name: String, in namespace: String) -> Bool {
        self.name == name && self.namespace == namespace
    }

    /// The value of an attribute; without a namespace one that has no prefix.
    package func attribute(_ name: String, in namespace: String = "") -> String? {
        attributes.first { $0.name == name && $0.namespace == namespace }?.value
    }

    /// The first child of that name in this element's namespace.
    package func child(_ name: String) -> XMLElement? { children.first { $0.is(name, in: namespace) } }

    package func children(_ name: String) -> [XMLElement] { children.filter { $0.is(name, in: namespace) } }

    /// The characters without the blanks and line ends around them.
    package var trimmedText: String { XMLText.trimmed(text) }

    /// The characters of a child, blanks around them left out; nil when there is no such child.
    package func text(of name: String) -> String? { child(name)?.trimmedText }
}

/// The namespaces used here.
enum XMLNamespace {
    static let conferenceInfo = "urn:ietf:params:xml:ns:conference-info"
    /// Centralized conferencing (RFC 6501), of which only the nickname is used.
    static let centralizedConferencing = "urn:ietf:params:xml:ns:xcon-conference-info"
    /// AG Projects' extension for a room's files.
    static let conferenceFiles = "urn:ag-projects:xml:ns:conference-info"
    static let resourceLists = "urn:ietf:params:xml:ns:resource-lists"
    static let copyControl = "urn:ietf:params:xml:ns:copycontrol"
    /// As an example of RFC 5366 (section 6) spells it.
    static let copyControlMisspelt = "urn:ietf:params:xml:ns:copyControl"
    static let commonPolicy = "urn:ietf:params:xml:ns:common-policy"
    static let presenceRules = "urn:ietf:params:xml:ns:pres-rules"
    static let xml = "http://www.w3.org/XML/1998/namespace"
}
