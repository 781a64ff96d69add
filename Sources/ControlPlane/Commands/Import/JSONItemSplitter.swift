/// Cuts a JSON text into its items as its octets come, so that it need not fit into memory.
///
/// Items are the elements of an array, those of the member `services` or `kvs` of an object (a list as the API, or
/// etcd, gives it), or objects one after the other. What an item is, is left to whoever parses it.
struct JSONItemSplitter {
    struct Item: Equatable {
        var octets: [UInt8]
        /// Where it begins, counted from 1.
        var line: Int
    }

    struct Failure: Error, Equatable {
        var line: Int
        var problem: String
    }

    /// The most octets of an item.
    private let maximumOctets: Int
    /// Names of members that only a list has. It may begin with any of them.
    private static let listMembers: Set<String> = ["services", "kvs", "header", "next_cursor", "count", "more"]
    private static let itemMembers: Set<String> = ["services", "kvs"]

    private enum Place { case outside, array, members, value }

    private var place = Place.outside
    /// Where to go on behind the value.
    private var next = Place.outside
    /// Where to go on behind the array.
    private var nextAfterArray = Place.outside
    private var line = 1
    private var octetCount = 0
    // The value that is being read.
    private var octets: [UInt8] = []
    private var firstLine = 1
    private var depth = 0
    private var isInString = false
    private var isEscaped = false
    private var isKept = false
    /// Whether it may turn out to be a list: it is an object whose first name is not known yet.
    private var isUndecided = false
    /// Whether it is the name of a member.
    private var isName = false
    private var memberName = ""
    /// What is wrong behind the items that were returned.
    private var failure: Failure?

    /// Whether a member's name was followed by a colon.
    private var expectsValue = false

    /// - Parameter maximumOctets: of an item; the services of a Consul agent are one.
    init(maximumOctets: Int = 16 << 20) {
        self.maximumOctets = maximumOctets
    }

    /// Takes in some octets.
    ///
    /// - Returns: the items that they complete. If something is wrong behind them, the next call throws.
    mutating func take(_ piece: [UInt8]) throws(Failure) -> [Item] {
        if let failure { throw failure }
        var items: [Item] = []
        do throws(Failure) {
            for octet in piece { try take(octet, &items) }
        } catch {
            if items.isEmpty { throw error }
            failure = error
        }
        return items
    }

    private mutating func take(_ octet: UInt8, _ items: inout [Item]) throws(Failure) {
        if place != .value || !takeInValue(octet, &items) { try takeBetween(octet) }
        if octet == 0x0A { line += 1 }
        octetCount += 1
        if octets.count > maximumOctets {
            throw Failure(line: firstLine, problem: "an item of more than \(maximumOctets) octets")
        }
    }

    /// Ends the text.
    func finish() throws(Failure) {
        if let failure { throw failure }
        if place != .outside { throw Failure(line: line, problem: "the text ends too early") }
    }

    /// - Returns: whether the octet belongs to the value.
    private mutating func takeInValue(_ octet: UInt8, _ items: inout [Item]) -> Bool {
        let isNumberOrWord = depth == 0 && !isInString
        if isNumberOrWord, Self.isBlank(octet) || ",]}".utf8.contains(octet) {
            complete(&items)
            return false
        }
        if isKept { octets.append(octet) }
        if isInString {
            if isEscaped {
                isEscaped = false
            } else if octet == UInt8(ascii: "\\") {
                isEscaped = true
            } else if octet == UInt8(ascii: "\"") {
                isInString = false
                if depth == 0 {
                    complete(&items)
                } else if isUndecided {
                    decide()
                }
            }
            return true
        }
        switch octet {
        case UInt8(ascii: "\""): isInString = true
        case UInt8(ascii: "{"), UInt8(ascii: "["): depth += 1
        case UInt8(ascii: "}"), UInt8(ascii: "]"):
            depth -= 1
            if depth == 0 { complete(&items) }
        default: break
        }
        return true
    }

    private mutating func takeBetween(_ octet: UInt8) throws(Failure) {
        if Self.isBlank(octet) { return }
        switch (place, octet) {
        case (.outside, UInt8(ascii: "[")): (place, nextAfterArray) = (.array, .outside)
        case (.outside, UInt8(ascii: "{")):
            begin(octet, isKept: true, next: .outside)
            isUndecided = true
        // A byte order mark (RFC 8259 §8.1).
        case (.outside, _) where octetCount < 3 && [0xEF, 0xBB, 0xBF][octetCount] == octet: break
        case (.outside, _): throw Failure(line: line, problem: "expected an array or an object")
        case (.members, UInt8(ascii: ",")): break
        case (.members, UInt8(ascii: ":")): expectsValue = true
        case (.members, UInt8(ascii: "}")): place = .outside
        case (.members, UInt8(ascii: "\"")) where !expectsValue:
            begin(octet, isKept: true, next: .members)
            isName = true
        case (.members, UInt8(ascii: "[")) where expectsValue && Self.itemMembers.contains(memberName):
            (place, nextAfterArray, expectsValue) = (.array, .members, false)
        case (.members, _) where expectsValue:
            begin(octet, isKept: false, next: .members)
            expectsValue = false
        case (.members, _): throw Failure(line: line, problem: "expected a member's name")
        case (.array, UInt8(ascii: ",")): break
        case (.array, UInt8(ascii: "]")): place = nextAfterArray
        case (.array, UInt8(ascii: "}")), (.array, UInt8(ascii: ":")):
            throw Failure(line: line, problem: "expected ',' or ']'")
        case (.array, _): begin(octet, isKept: true, next: .array)
        case (.value, _): break
        }
    }

    private mutating func begin(_ octet: UInt8, isKept: Bool, next: Place) {
        (place, self.next, self.isKept, firstLine) = (.value, next, isKept, line)
        octets = isKept ? [octet] : []
        depth = octet == UInt8(ascii: "{") || octet == UInt8(ascii: "[") ? 1 : 0
        isInString = octet == UInt8(ascii: "\"")
        (isEscaped, isUndecided, isName) = (false, false, false)
    }

    private mutating func complete(_ items: inout [Item]) {
        if isName {
            memberName = String(decoding: octets.dropFirst().dropLast(), as: UTF8.self)
        } else if isKept {
            items.append(Item(octets: octets, line: firstLine))
        }
        (place, octets) = (next, [])
    }

    /// The first name of an object is known: is it a list, or an item?
    private mutating func decide() {
        isUndecided = false
        guard let quote = octets.firstIndex(of: UInt8(ascii: "\"")) else { return }
        let name = String(decoding: octets[(quote + 1)...].dropLast(), as: UTF8.self)
        if Self.listMembers.contains(name) { (place, memberName, octets) = (.members, name, []) }
    }

    private static func isBlank(_ octet: UInt8) -> Bool {
        octet == 0x20 || octet == 0x0A || octet == 0x0D || octet == 0x09
    }
}
