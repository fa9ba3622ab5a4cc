/// Why the spool takes a file not, or no more of it. Nothing of the file remains.
package enum SpoolRefusal: Error, Sendable, Equatable {
    /// `SpoolLimits.fileSize`
    case fileTooLarge
    /// `SpoolLimits.roomBytes`
    case roomIsFull
    /// `SpoolLimits.totalBytes`
    case spoolIsFull
    /// `SpoolLimits.filesPerRoom`
    case tooManyFiles
    /// `SpoolLimits.incoming`
    case tooManyIncoming
    /// The file isn't there any more, or never was.
    case noSuchFile
    /// The content is not what was announced.
    case hashMismatch
    case shuttingDown
    /// What the operating system, or the index, said.
    case disk(String)
}
