/// Reads comma-separated values (RFC 4180) as their octets come. Line feeds alone end rows too.
struct CSVReader {
    struct Row: Equatable {
        var fields: [String]
        /// Where it begins, counted from 1.
        var line: Int
    }

    struct Failure: Error, Equatable {
        var line: Int
        var problem: String
    }

    /// The most octets of a row.
    static let maximumOctets = 1 << 20

    private enum Place { case fieldStart, plain, quoted, quoteInQuoted }

    private var place = Place.fieldStart
    private var field: [UInt8] = []
    private var fields: [String] = []
    private var rowOctets = 0
    private var line = 1
    private var firstLine = 1
    private var octetCount = 0
    /// What is wrong behind the rows that were returned.
    private var failure: Failure?

    /// Takes in some octets.
    ///
    /// - Returns: the rows that they complete; empty lines are none. If something is wrong behind them, the next call
    ///   throws.
    mutating func take(_ piece: [UInt8]) throws(Failure) -> [Row] {
        if let failure { throw failure }
        var rows: [Row] = []
        do throws(Failure) {
            for octet in piece {
                defer { octetCount += 1 }
                // A byte order mark, which spreadsheets write.
                if octetCount < 3, [0xEF, 0xBB, 0xBF][octetCount] == octet { continue }
                try take(octet, &rows)
                if octet == 0x0A { line += 1 }
            }
        } catch {
            if rows.isEmpty { throw error }
            failure = error
        }
        return rows
    }

    /// Ends the text: its last line needs no line feed.
    mutating func finish() throws(Failure) -> Row? {
        if let failure { throw failure }
        if place == .quoted { throw Failure(line: firstLine, problem: "a quoted field has no end") }
        var rows: [Row] = []
        endRow(&rows)
        return rows.first
    }

    private mutating func take(_ octet: UInt8, _ rows: inout [Row]) throws(Failure) {
        rowOctets += 1
        if rowOctets > Self.maximumOctets {
            throw Failure(line: firstLine, problem: "a row of more than \(Self.maximumOctets) octets")
        }
        if place == .quoted {
            if octet == UInt8(ascii: "\"") { place = .quoteInQuoted } else { field.append(octet) }
            return
        }
        switch octet {
        case UInt8(ascii: ","): endField()
        case 0x0A: endRow(&rows)
        case 0x0D: break
        case UInt8(ascii: "\"") where place == .fieldStart: place = .quoted
        case UInt8(ascii: "\"") where place == .quoteInQuoted:
            field.append(octet)
            place = .quoted
        case UInt8(ascii: "\""):
            throw Failure(line: line, problem: "a quote within a field: quote the whole field, and write it twice")
        default:
            if place == .quoteInQuoted { throw Failure(line: line, problem: "text behind the quote that ends a field") }
            field.append(octet)
            place = .plain
        }
    }

    private mutating func endField() {
        fields.append(String(decoding: field, as: UTF8.self))
        (field, place) = ([], .fieldStart)
    }

    private mutating func endRow(_ rows: inout [Row]) {
        let isEmpty = fields.isEmpty && field.isEmpty && place == .fieldStart
        endField()
        if !isEmpty { rows.append(Row(fields: fields, line: firstLine)) }
        // The line feed itself is counted behind this.
        (fields, rowOctets, firstLine) = ([], 0, line + 1)
    }

    /// A field as it is written: in quotes if it needs them.
    static func written(_ field: String) -> String {
        let needsQuotes = field.utf8.contains { $0 == 0x22 || $0 == 0x2C || $0 == 0x0A || $0 == 0x0D }
        return needsQuotes ? "\"\(field.replacing("\"", with: "\"\""))\"" : field
    }
}
