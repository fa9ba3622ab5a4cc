extension PresenceRules {
    /// - Throws: `XMLError`.
    package init(parsing octets: some Collection<UInt8>, limits: XMLLimits = XMLLimits()) throws(XMLError) {
        let root = try XMLDocument(
            parsing: octets, root: "ruleset", in: XMLNamespace.commonPolicy, limits: limits
        ).root
        rules = []
        for rule in root.children("rule") { rules.append(try Rule(reading: rule)) }
    }
}

extension PresenceRules.Rule {
    fileprivate init(reading element: XMLElement) throws(XMLError) {
        self.init(id: element.attribute("id") ?? "", handling: nil)
        for conditions in element.children("conditions") {
            for condition in conditions.children {
                self.conditions.append(try PresenceRules.Condition(reading: condition))
            }
        }
        for action in element.children("actions").flatMap(\.children) {
            guard action.is("sub-handling", in: XMLNamespace.presenceRules) else {
                kept.append(action)
                continue
            }
            guard let handling = PresenceRules.Handling(rawValue: action.trimmedText) else {
                throw .unexpected("sub-handling")
            }
            self.handling = handling
        }
        kept += element.children("transformations").filter { !$0.children.isEmpty }
    }
}

extension PresenceRules.Condition {
    fileprivate init(reading element: XMLElement) throws(XMLError) {
        if element.is("identity", in: XMLNamespace.commonPolicy) {
            var identities: [PresenceRules.Identity] = []
            for child in element.children {
                if let identity = try PresenceRules.Identity(reading: child) { identities.append(identity) }
            }
            self = .identity(identities)
        } else if element.is("validity", in: XMLNamespace.commonPolicy) {
            self = .validity(try PresenceRules.Period.pairs(in: element))
        } else {
            self = .unmet(element)
        }
    }
}

extension PresenceRules.Identity {
    /// Nil for what is not known, which is never true (RFC 4745 section 7.1.1): a kind of identity of others, and a
    /// `many` with a kind of exception of others, for whoever is meant by it must not be granted anything here.
    fileprivate init?(reading element: XMLElement) throws(XMLError) {
        if element.is("one", in: XMLNamespace.commonPolicy) {
            guard let id = element.attribute("id") else { throw .unexpected("one without id") }
            self = .one(XMLText.trimmed(id))
        } else if element.is("many", in: XMLNamespace.commonPolicy) {
            var ids: [String] = []
            var domains: [String] = []
            for child in element.children {
                guard child.is("except", in: XMLNamespace.commonPolicy) else { return nil }
                let id = child.attribute("id")
                let domain = child.attribute("domain")
                guard (id == nil) != (domain == nil) else { throw .unexpected("except") }
                if let id { ids.append(XMLText.trimmed(id)) }
                if let domain { domains.append(XMLText.trimmed(domain)) }
            }
            self = .many(
                domain: element.attribute("domain").map(XMLText.trimmed), exceptIDs: ids, exceptDomains: domains)
        } else {
            return nil
        }
    }
}

extension PresenceRules.Period {
    /// `from` and `until` in turn (RFC 4745 section 7.4).
    fileprivate static func pairs(in element: XMLElement) throws(XMLError) -> [Self] {
        var periods: [Self] = []
        var from: Int64?
        for child in element.children where child.namespace == element.namespace {
            guard let moment = InternetDateTime.seconds(child.trimmedText) else { throw .unexpected(child.name) }
            if child.name == "from", from == nil {
                from = moment
            } else if child.name == "until", let start = from {
                periods.append(Self(from: start, until: moment))
                from = nil
            } else {
                throw .unexpected("validity")
            }
        }
        guard from == nil else { throw .unexpected("validity") }
        return periods
    }
}
