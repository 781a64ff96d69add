import Testing

@testable import ControlPlane

@Suite struct CheckStateTests {
    /// Results of runs (`+` and `-`) and reports (`p`, `w`, `c`), and the status after each.
    @Test(arguments: [
        (CheckStatus.passing, 2, 3, "---", "ppc"),
        (.passing, 2, 3, "--+---", "pppppc"),
        (.passing, 2, 3, "-+-+-+", "pppppp"),
        (.critical, 2, 3, "++", "cp"),
        (.critical, 2, 3, "+-+-++", "cccccp"),
        (.passing, 2, 3, "---++---", "ppccpppc"),
        (.passing, 1, 1, "-+-+", "cpcp"),
        (.passing, 1, 2, "----+", "pcccp"),
        // A report holds until the next own result, which then counts as if there had been no report.
        (.passing, 2, 3, "c+", "cp"),
        (.passing, 2, 3, "-c--", "pcpc"),
        (.passing, 2, 3, "w", "w"),
        (.passing, 2, 3, "w-", "wp"),
        (.critical, 2, 3, "p-++", "pccp"),
        (.critical, 2, 3, "+p+", "cpp"),
        // A reported warning that is restored holds until the next own result too.
        (.warning, 2, 3, "+", "p"),
        (.warning, 2, 3, "---", "ppc"),
    ])
    func `rise, fall and reports`(initial: CheckStatus, rise: Int, fall: Int, events: String, expected: String) {
        var state = CheckState(initial)
        #expect(state.status == initial)
        var statuses = ""
        for event in events {
            switch event {
            case "+", "-": state.take(isSuccess: event == "+", rise: rise, fall: fall)
            case "p": state.report(.passing)
            case "w": state.report(.warning)
            default: state.report(.critical)
            }
            statuses.append(state.status.rawValue.first ?? "?")
        }
        #expect(statuses == expected)
    }

    @Test func `a check that flaps changes at most once a run, and never back and forth with a rise and fall above 1`()
    {
        for (rise, fall) in [(1, 1), (2, 3), (3, 2)] {
            var state = CheckState(.passing)
            var changes = 0
            for run in 0..<1000 {
                let before = state.status
                state.take(isSuccess: run.isMultiple(of: 2), rise: rise, fall: fall)
                if state.status != before { changes += 1 }
            }
            #expect(rise == 1 ? changes <= 1000 : changes == 0)
        }
    }

    @Test func `while it is held failures only count, and afterwards they have their effect`() {
        var state = CheckState(.passing)
        for _ in 0..<5 { state.take(isSuccess: false, rise: 2, fall: 3, isHeld: true) }
        #expect(state.status == .passing)
        #expect(state.isFailing)
        state.release(fall: 3)
        #expect(state.status == .critical)
        #expect(!state.isFailing)

        state = CheckState(.passing)
        for _ in 0..<2 { state.take(isSuccess: false, rise: 2, fall: 3, isHeld: true) }
        state.release(fall: 3)
        #expect(state.status == .passing)
        state.take(isSuccess: false, rise: 2, fall: 3)
        #expect(state.status == .critical)
    }

    @Test func `while it is held a failure leaves what was reported, and a success does not`() {
        var state = CheckState(.critical)
        state.report(.passing)
        state.take(isSuccess: false, rise: 2, fall: 1, isHeld: true)
        #expect(state.status == .passing)
        state.confirm(fall: 1)
        #expect(state.status == .critical)
        state = CheckState(.passing)
        state.report(.warning)
        state.take(isSuccess: true, rise: 2, fall: 1, isHeld: true)
        #expect(state.status == .passing)
    }

    @Test func `while it is held a success that is not enough yet leaves what was reported`() {
        var state = CheckState(.critical)
        state.report(.warning)
        state.take(isSuccess: true, rise: 3, fall: 1, isHeld: true)
        #expect(state.status == .warning)
        state.confirm(fall: 1)
        #expect(state.status == .critical)
        state.report(.warning)
        for _ in 0..<2 { state.take(isSuccess: true, rise: 3, fall: 1, isHeld: true) }
        #expect(state.status == .passing)
    }

    @Test func `while it is held a success has its effect`() {
        var state = CheckState(.critical)
        for _ in 0..<2 { state.take(isSuccess: true, rise: 2, fall: 3, isHeld: true) }
        #expect(state.status == .passing)
    }

    @Test func `what replaces the status is not undone by anything`() {
        var state = CheckState(.passing)
        state.replace(with: .warning)
        #expect(state.status == .warning)
        state.replace(with: .critical)
        #expect(state.status == .critical)
    }
}
