/// A time of day in UTC, split up by integer arithmetic: formatting takes nanoseconds and needs no locale.
struct CalendarTime {
    /// 0000-01-01T00:00:00Z.
    private static let firstMilliseconds: Int64 = -62_167_219_200_000

    let year: Int
    /// 1–12.
    let month: Int
    /// 1–31.
    let day: Int
    let hour: Int
    let minute: Int
    let second: Int
    let millisecond: Int
    /// 0 = Sunday.
    let weekday: Int

    /// Splits `time` up.
    ///
    /// Days are converted to a date as in Howard Hinnant's "chrono-Compatible Low-Level Date Algorithms"
    /// (`civil_from_days`): years begin in March, so the leap day comes last. RFC 3339 can't write times before the
    /// year 0 or after 9999: these become the first or the last moment that it can write.
    init(_ time: WallTime) {
        let milliseconds = Int(
            max(Self.firstMilliseconds, min(time.millisecondsSince1970, WallTime.last.millisecondsSince1970)))
        let days = milliseconds.flooredQuotient(by: 86_400_000)
        let inDay = milliseconds - days * 86_400_000
        hour = inDay / 3_600_000
        minute = inDay / 60_000 % 60
        second = inDay / 1000 % 60
        millisecond = inDay % 1000
        weekday = (days + 4) - (days + 4).flooredQuotient(by: 7) * 7

        let shifted = days + 719_468
        let era = shifted.flooredQuotient(by: 146_097)
        let dayOfEra = shifted - era * 146_097
        let yearOfEra = (dayOfEra - dayOfEra / 1460 + dayOfEra / 36_524 - dayOfEra / 146_096) / 365
        let dayOfYear = dayOfEra - (365 * yearOfEra + yearOfEra / 4 - yearOfEra / 100)
        let monthFromMarch = (5 * dayOfYear + 2) / 153
        day = dayOfYear - (153 * monthFromMarch + 2) / 5 + 1
        month = monthFromMarch < 10 ? monthFromMarch + 3 : monthFromMarch - 9
        year = yearOfEra + era * 400 + (month <= 2 ? 1 : 0)
    }

    /// The octets of an RFC 3339 date-time in UTC with milliseconds: `2026-01-02T03:04:05.678Z`.
    var rfc3339: [UInt8] {
        var text: [UInt8] = []
        text.reserveCapacity(24)
        appendRFC3339(to: &text)
        return text
    }

    /// Appends the octets of ``rfc3339``.
    func appendRFC3339(to text: inout [UInt8]) {
        text.appendTwoDigits(year / 100)
        text.appendTwoDigits(year % 100)
        text.append(UInt8(ascii: "-"))
        text.appendTwoDigits(month)
        text.append(UInt8(ascii: "-"))
        text.appendTwoDigits(day)
        text.append(UInt8(ascii: "T"))
        text.appendTwoDigits(hour)
        text.append(UInt8(ascii: ":"))
        text.appendTwoDigits(minute)
        text.append(UInt8(ascii: ":"))
        text.appendTwoDigits(second)
        text.append(UInt8(ascii: "."))
        text.append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: millisecond / 100))
        text.appendTwoDigits(millisecond % 100)
        text.append(UInt8(ascii: "Z"))
    }

    /// The value of an HTTP `Date` field (RFC 9110 §5.6.7): `Fri, 02 Jan 2026 03:04:05 GMT`.
    var httpDate: String {
        let weekdays = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"]
        let months = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]
        var date: [UInt8] = []
        date.appendTwoDigits(day)
        var time: [UInt8] = []
        time.appendTwoDigits(hour)
        time.append(UInt8(ascii: ":"))
        time.appendTwoDigits(minute)
        time.append(UInt8(ascii: ":"))
        time.appendTwoDigits(second)
        let (dateText, timeText) = (String(decoding: date, as: UTF8.self), String(decoding: time, as: UTF8.self))
        return "\(weekdays[weekday]), \(dateText) \(months[month - 1]) \(year) \(timeText) GMT"
    }
}

extension Int {
    /// The quotient rounded towards negative infinity; `divisor` > 0.
    fileprivate func flooredQuotient(by divisor: Int) -> Int {
        self >= 0 ? self / divisor : (self - divisor + 1) / divisor
    }
}

extension [UInt8] {
    /// Appends the last two decimal digits of `number`.
    fileprivate mutating func appendTwoDigits(_ number: Int) {
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number / 10 % 10))
        append(UInt8(ascii: "0") + UInt8(truncatingIfNeeded: number % 10))
    }
}
