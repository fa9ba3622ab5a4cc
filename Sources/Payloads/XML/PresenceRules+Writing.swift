extension PresenceRules {
    /// The document.
    package func xml() -> [UInt8] {
        var writer = XMLWriter(reserving: 1024)
        writer.declare()
        writer.start("ruleset", ["xmlns": XMLNamespace.commonPolicy, "xmlns:pr": XMLNamespace.presenceRules])
        for rule in rules {
            writer.start("rule", ["id": rule.id])
            writer.start("conditions")
            for condition in rule.conditions { writer.condition(condition) }
            writer.end("conditions")
            writer.start("actions")
            writer.element("pr:sub-handling", rule.handling?.rawValue)
            for action in rule.kept where !action.isTransformations { writer.element(action) }
            writer.end("actions")
            let transformations = rule.kept.filter(\.isTransformations)
            if transformations.isEmpty { writer.empty("transformations") }
            for transformation in transformations { writer.element(transformation) }
            writer.end("rule")
        }
        writer.end("ruleset")
        return writer.octets
    }
}

extension XMLElement {
    fileprivate var isTransformations: Bool { self.is("transformations", in: XMLNamespace.commonPolicy) }
}

extension XMLWriter {
    fileprivate mutating func condition(_ condition: PresenceRules.Condition) {
        switch condition {
        case .identity(let identities):
            start("identity")
            for identity in identities { self.identity(identity) }
            end("identity")
        case .validity(let periods):
            start("validity")
            for period in periods {
                element("from", InternetDateTime.format(seconds: period.from))
                element("until", InternetDateTime.format(seconds: period.until))
            }
            end("validity")
        case .unmet(let element):
            self.element(element)
        }
    }

    private mutating func identity(_ identity: PresenceRules.Identity) {
        switch identity {
        case .one(let id):
            empty("one", ["id": XMLText.uri(id)])
        case .many(let domain, let exceptIDs, let exceptDomains):
            start("many", ["domain": domain])
            for id in exceptIDs { empty("except", ["id": XMLText.uri(id)]) }
            for domain in exceptDomains { empty("except", ["domain": domain]) }
            end("many")
        }
    }
}
