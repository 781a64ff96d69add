import Engine
import Testing

@testable import ControlPlane

/// What is reported about upstreams, with one look a second.
@Suite struct UpstreamWatchTests {
    private let address = SocketAddress(.v4(0x0909_0909), port: 53)
    private let start = ContinuousClock.now

    /// The upstream's state at a look, and what is reported then.
    private typealias Look = (
        isAnswering: Bool, answers: UInt64, guesses: UInt64, leadsBack: Bool, news: [UpstreamWatch.News]
    )

    private func play(_ looks: [Look], at location: SourceLocation = #_sourceLocation) {
        var watch = UpstreamWatch()
        for (second, look) in looks.enumerated() {
            let statistics = UpstreamStatistics(
                address: address, answers: look.answers, guesses: look.guesses, isAnswering: look.isAnswering,
                leadsBack: look.leadsBack)
            let news = watch.look(at: [statistics], now: start + .seconds(second))
            #expect(news.map(\.news) == look.news, "look \(second)", sourceLocation: location)
            #expect(news.allSatisfy { $0.upstream == address }, sourceLocation: location)
        }
    }

    @Test func `one that stops answering and comes back is news, each once, after two seconds`() {
        play([
            (true, 5, 0, false, []), (false, 5, 0, false, []), (false, 5, 0, false, []),
            (false, 5, 0, false, [.stoppedAnswering]), (false, 5, 0, false, []), (true, 6, 0, false, []),
            (true, 7, 0, false, []), (true, 7, 0, false, [.answersAgain]), (true, 8, 0, false, []),
        ])
        // This includes one that never answered.
        play([(false, 0, 0, false, []), (false, 0, 0, false, []), (false, 0, 0, false, [.stoppedAnswering])])
    }

    @Test func `one that is late now and then, or slow, or there for a moment, is not`() {
        play((0..<20).map { ($0 % 2 == 0, 5, 0, false, []) })
        play((0..<20).map { (false, UInt64($0), 0, false, []) })
        let down: [Look] = [
            (false, 0, 0, false, []), (false, 0, 0, false, []), (false, 0, 0, false, [.stoppedAnswering]),
        ]
        play(down + (0..<20).map { ($0 == 0, 0, 0, false, []) })
        play(down + (0..<20).map { ($0 % 4 == 0, 0, 0, false, []) })
    }

    /// It is probed, and asked only when no other is left.
    @Test func `one that comes back slowly answers again`() {
        let down: [Look] = [
            (false, 0, 0, false, []), (false, 0, 0, false, []), (false, 0, 0, false, [.stoppedAnswering]),
        ]
        play(down + (0..<20).map { (false, UInt64($0 / 3), 0, false, $0 == 6 ? [.answersAgain] : []) })
        play(down + (0..<20).map { ($0 % 2 == 0, 0, 0, false, $0 == 2 ? [.answersAgain] : []) })
    }

    @Test func `a loop is news at once, and silence is none of it`() {
        play([
            (true, 0, 0, false, []), (false, 0, 0, true, [.leadsBack]), (false, 0, 0, true, []),
            (false, 0, 0, true, []), (true, 0, 0, false, [.leadsBackNoLonger]), (true, 0, 0, false, []),
        ])
    }

    @Test func `guesses are told once a minute, however many there are`() {
        play(
            [(true, 0, 3, false, [.guesses(3)])]
                + (1..<60).map { (true, 0, 3 + UInt64($0), false, []) }
                + [(true, 0, 70, false, [.guesses(67)]), (true, 0, 71, false, [])])
    }

    @Test func `what was said of one that was taken out of the configuration is forgotten`() {
        var watch = UpstreamWatch()
        func look(_ second: Int, _ upstreams: [UpstreamStatistics]) -> [UpstreamWatch.News] {
            watch.look(at: upstreams, now: start + .seconds(second)).map(\.news)
        }
        let loop = UpstreamStatistics(address: address, leadsBack: true)
        // An upstream that is listed twice counts once.
        #expect(look(0, [loop, loop]) == [.leadsBack])
        #expect(look(1, []) == [])
        #expect(look(2, [loop]) == [.leadsBack])
    }
}
