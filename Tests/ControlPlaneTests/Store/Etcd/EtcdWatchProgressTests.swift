import Testing

@testable import ControlPlane

/// When a watch is tested, and when it counts as dead. Time is passed in.
@Suite struct EtcdWatchProgressTests {
    private let start = ContinuousClock.now

    @Test func `a watch that is where etcd is may be silent for ever`() {
        var progress = EtcdWatchProgress(revision: 7, now: start)
        for seconds in 0..<1000 {
            let step = progress.look(revision: 7, watched: 7, now: start + .seconds(seconds))
            #expect(step == .goOn)
        }
    }

    @Test func `one that stays behind is tested once, then taken for dead`() {
        var progress = EtcdWatchProgress(revision: 7, now: start - .seconds(100))
        let steps = stride(from: 0.0, through: 4.0, by: 0.5).map { seconds in
            progress.look(revision: 8 + Int64(seconds), watched: 7, now: start + .seconds(seconds))
        }
        #expect(steps == [.goOn, .goOn, .test, .goOn, .goOn, .goOn, .goOn, .goOn, .startAnew])
    }

    @Test func `one that tells of the test is alive, though others change keys all the time`() {
        var progress = EtcdWatchProgress(revision: 7, now: start)
        var etcd: Int64 = 7
        var watched: Int64 = 7
        var tests = 0
        for round in 0..<200 {
            etcd += 1
            switch progress.look(revision: etcd, watched: watched, now: start + .milliseconds(round * 500)) {
            case .goOn: continue
            case .test:
                tests += 1
                etcd += 1
                watched = etcd
            case .startAnew: Issue.record("round \(round)")
            }
        }
        #expect(tests > 10 && tests <= 100)
    }

    @Test func `one that catches up slowly is left to it`() {
        var progress = EtcdWatchProgress(revision: 7, now: start)
        for seconds in 0..<100 {
            let step = progress.look(revision: 5000, watched: 7 + Int64(seconds), now: start + .seconds(seconds))
            #expect(step != .startAnew)
        }
    }
}
