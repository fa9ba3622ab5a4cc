import NIOCore
import NIOPosix
import Payloads

// Content within messages that is no text: pictures that are shown to the room, and what others show.
extension ChatClient {
    /// Octets of a picture that is read at all; rooms take less.
    private static let largestPicture = 32 << 20

    func showPicture(_ path: String) {
        let path = ChatPaths.expanded(path)
        guard let media, media.format == .cpim else { return notices("this room takes texts only") }
        let type = MediaTypes.type(ofFile: path)
        guard type.hasPrefix("image/") else {
            return notices("\(path) is no picture by its name; /send sends any file")
        }
        guard media.wrappedTypes.allows(type) else {
            return notices("this room takes no \(type); /send sends any file")
        }
        let largest = min(media.maxSize ?? .max, UInt64(Self.largestPicture))
        onDisk {
            .picture(
                name: path,
                Result { () throws(FileError) in
                    let file = try SourceFile(path: path)
                    guard file.size <= largest else {
                        throw FileError(
                            "\(path) has \(TransferProgress.bytes(file.size)), and messages may have "
                                + "\(TransferProgress.bytes(largest)); /send sends files of any size")
                    }
                    return Array(file.read(Int(file.size)).readableBytesView)
                })
        }
    }

    func show(picture path: String, _ result: Result<[UInt8], FileError>) async {
        switch result {
        case .success(let content):
            await send(
                wrapped(content, type: MediaTypes.type(ofFile: path), to: room), contentType: "message/cpim")
        case .failure(let error): failed("\(error)")
        }
    }

    func save(_ number: Int, _ path: String?) {
        guard let item = attachments[number] else {
            return notices("there is nothing of number \(number) to save, or not any more")
        }
        let path = path.map(ChatPaths.expanded)
        onDisk {
            let place = ChatPaths.place(for: item.name, at: path)
            return .saved(
                Result { () throws(FileError) in try NewFile.write(item.content, folder: place.folder, name: place.name)
                })
        }
    }

    func saved(_ result: Result<String, FileError>) {
        switch result {
        case .success(let path): notices("saved \(ChatPaths.shown(path))")
        case .failure(let error): failed("\(error)")
        }
    }

    private func onDisk(_ work: @escaping @Sendable () -> Happening) {
        diskErrands += 1
        let happened = happened
        NIOThreadPool.singleton.submit { state in if state == .active { happened.yield(work()) } }
    }
}
