import Testing

@testable import Engine

/// Whether something is tried that is only worth it at times.
struct TrialTests {
    /// Which of the next chances are taken, if each trial succeeds or fails as `success` says.
    private func taken(_ trial: inout Trial, of chances: Int, success: Bool) -> [Int] {
        (0..<chances).filter { _ in
            guard trial.begin() else { return false }
            trial.note(success: success)
            return true
        }
    }

    @Test func `fruitless trials become rare, and after a success every chance is taken`() {
        var trial = Trial()
        #expect(taken(&trial, of: 100, success: true).count == 100)
        #expect(taken(&trial, of: 20, success: false) == [0, 1, 2, 3, 5, 8, 13])
        let rare = taken(&trial, of: 10_000, success: false).count
        #expect((10_000 / 34...10_000 / 32 + 3).contains(rare))
        // This is the longest time until it is noticed that it is worth it again.
        let first = taken(&trial, of: Trial.longestPause + 1, success: true).first
        #expect(first.map { $0 <= Trial.longestPause } == true)
        #expect(taken(&trial, of: 100, success: true).count == 100)
    }

    @Test func `a success among failures starts anew`() {
        var trial = Trial()
        for _ in 0..<50 {
            #expect(taken(&trial, of: Trial.fruitlessLimit - 1, success: false).count == Trial.fruitlessLimit - 1)
            #expect(taken(&trial, of: 1, success: true).count == 1)
        }
    }
}
