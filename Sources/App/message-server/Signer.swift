import Crypto
import Foundation

/// Signs what a browser carries for us: nobody else can make it, and it is no longer believed after its time.
struct Signer: Sendable {
    enum Problem: Error, CustomStringConvertible {
        case tooShort
        case readableByOthers

        var description: String {
            switch self {
            case .tooShort: "a secret needs \(Signer.minimumBytes) bytes or more, of random"
            case .readableByOthers: "every user of this machine can read the secret: chmod 600 it"
            }
        }
    }

    /// What is signed, so that a signature made for one use is none for another.
    enum Purpose: String {
        case form
        case posted
    }

    static let minimumBytes = 32
    private let key: SymmetricKey

    static func ofThisProcess() -> Signer {
        Signer(key: SymmetricKey(size: .bits256))
    }

    /// Takes the secret from a file; white space at its end is not part of it.
    init(file: String) throws {
        let attributes = try FileManager.default.attributesOfItem(atPath: file)
        if let mode = attributes[.posixPermissions] as? Int, mode & 0o004 != 0 { throw Problem.readableByOthers }
        var bytes = try Data(contentsOf: URL(fileURLWithPath: file))
        while let last = bytes.last, last == 0x0A || last == 0x0D || last == 0x20 { bytes.removeLast() }
        guard bytes.count >= Self.minimumBytes else { throw Problem.tooShort }
        self.init(key: SymmetricKey(data: SHA256.hash(data: bytes)))
    }

    private init(key: SymmetricKey) {
        self.key = key
    }

    /// `content.expiry.signature`, in characters that a cookie and a form may hold.
    func signed(_ content: String, for purpose: Purpose, seconds: Int, now: Date = Date()) -> String {
        let expiry = Int(now.timeIntervalSince1970) + seconds
        let text = "\(Data(content.utf8).base64URL).\(expiry)"
        return "\(text).\(Data(code(text, purpose)).base64URL)"
    }

    /// The content, if this secret signed it for this purpose and its time is not over.
    func content(_ signed: String, for purpose: Purpose, now: Date = Date()) -> String? {
        let parts = signed.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3, let expiry = Int(parts[1]), let signature = Data(base64URL: String(parts[2])),
            // Compares in constant time.
            HMAC<SHA256>.isValidAuthenticationCode(
                signature, authenticating: message("\(parts[0]).\(parts[1])", purpose), using: key),
            Int(now.timeIntervalSince1970) < expiry, let content = Data(base64URL: String(parts[0]))
        else { return nil }
        return String(data: content, encoding: .utf8)
    }

    private func code(_ text: String, _ purpose: Purpose) -> HMAC<SHA256>.MAC {
        HMAC<SHA256>.authenticationCode(for: message(text, purpose), using: key)
    }

    private func message(_ text: String, _ purpose: Purpose) -> Data {
        Data("\(purpose.rawValue)\0\(text)".utf8)
    }
}

/// What one form carries besides the text: the number that makes it one message, and proof that we made the form.
struct FormKey: Hashable, Sendable {
    /// 128 random bits.
    let nonce: String
    let token: String

    /// A page may stay open for a working day.
    private static let seconds = 12 * 3600

    /// A fresh one.
    init(_ signer: Signer) {
        var generator = SystemRandomNumberGenerator()
        let bytes = (0..<16).map { _ in UInt8.random(in: .min ... .max, using: &generator) }
        self.init(nonce: Data(bytes).base64URL, signer)
    }

    /// The same form shown again: it stays one message, however often it is sent.
    init(nonce: String, _ signer: Signer) {
        self.nonce = nonce
        token = signer.signed(nonce, for: .form, seconds: Self.seconds)
    }

    static func isWellFormed(nonce: String) -> Bool {
        Data(base64URL: nonce)?.count == 16
    }

    static func isGood(token: String?, nonce: String, _ signer: Signer) -> Bool {
        token.flatMap { signer.content($0, for: .form) } == nonce
    }

    /// The unique key under which a text sent by this form is stored.
    ///
    /// The text is part of it: who goes back in the browser and writes something else with the old form leaves a second
    /// message, and who sends the same again does not.
    static func storageKey(nonce: String, text: String) -> String {
        Data(SHA256.hash(data: Data("\(nonce)\0\(text)".utf8))).base64URL
    }
}

extension Data {
    /// RFC 4648, section 5, without padding.
    var base64URL: String {
        base64EncodedString().replacing("+", with: "-").replacing("/", with: "_").replacing("=", with: "")
    }

    init?(base64URL text: String) {
        let padding = String(repeating: "=", count: (4 - text.utf8.count % 4) % 4)
        self.init(base64Encoded: text.replacing("-", with: "+").replacing("_", with: "/") + padding)
    }
}
