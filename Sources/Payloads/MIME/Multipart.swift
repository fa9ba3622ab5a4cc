/// A multipart body split into its parts (RFC 2046 section 5.1).
package struct Multipart: Sendable, Hashable {
    package struct Part: Sendable, Hashable {
        package var fields: [MIMEField]
        package var body: ArraySlice<UInt8>

        package init(fields: [MIMEField], body: ArraySlice<UInt8>) {
            self.fields = fields
            self.body = body
        }

        /// The value of the first field of that name, in any case.
        package func field(_ name: String) -> String? { nil }
        /// text/plain when it has none (RFC 2046 section 5.1).
        package var contentType: ContentType? { nil }
    }

    package var parts: [Part]

    package init(parts: [Part]) {
        self.parts = parts
    }

    /// - Throws: `MultipartError`.
    package init(
        parsing body: ArraySlice<UInt8>, boundary: String, limits: MultipartLimits = MultipartLimits()
    ) throws(MultipartError) {
        throw MultipartError.noBoundary
    }

    /// The parts that are no multiparts, in order, of a body of the given type: itself when that is no multipart.
    package static func leaves(
        of body: [UInt8], type: ContentType, limits: MultipartLimits = MultipartLimits()
    ) throws(MultipartError) -> [Part] { [] }
}

/// One header field of a MIME part, unfolded.
package struct MIMEField: Sendable, Hashable {
    package var name: String
    package var value: String

    package init(name: String, value: String) {
        self.name = name
        self.value = value
    }
}

/// Why a body is no multipart.
package enum MultipartError: Error, Sendable, Equatable {
    /// The type has no boundary parameter, or one that is no boundary (RFC 2046 section 5.1.1).
    case noBoundary
    /// No delimiter line, or no closing one.
    case unterminated
    case malformedPart
    case tooManyParts
    case tooDeep
}

/// What a peer's multipart body may cost.
package struct MultipartLimits: Sendable {
    /// Parts in all, at every depth together.
    package var parts: Int
    /// Multiparts within multiparts.
    package var depth: Int
    /// Octets of one part's header fields.
    package var fieldOctets: Int

    package init(parts: Int = 32, depth: Int = 4, fieldOctets: Int = 8_192) {
        self.parts = parts
        self.depth = depth
        self.fieldOctets = fieldOctets
    }
}
