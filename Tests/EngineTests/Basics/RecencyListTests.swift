import Testing

@testable import Engine

struct RecencyListTests {
    private final class Element {
        let number: Int

        init(_ number: Int) {
            self.number = number
        }
    }

    @Test func `any sequence of uses gives the order that an array would`() {
        var random = SeededRandom(7)
        let elements = (0..<20).map(Element.init)
        var list = RecencyList<Element>()
        var model: [Int] = []
        for _ in 0..<5000 {
            let element = elements[Int.random(in: 0..<20, using: &random)]
            let isThere = model.contains(element.number)
            switch Int.random(in: 0..<3, using: &random) {
            case 0 where !isThere:
                list.append(element)
                model.append(element.number)
            case 1:
                #expect(list.remove(element) == isThere)
                model.removeAll { $0 == element.number }
            default:
                list.moveToEnd(element)
                if isThere {
                    model.removeAll { $0 == element.number }
                    model.append(element.number)
                }
            }
            #expect(list.all.map(\.number) == model)
            #expect(list.isEmpty == model.isEmpty)
            #expect(list.first { _ in true }?.number == model.first)
            #expect(list.first { $0.number % 2 == 0 }?.number == model.first { $0 % 2 == 0 })
        }
    }

    @Test func `a removed element is not held`() {
        var list = RecencyList<Element>()
        weak var held: Element?
        do {
            let element = Element(1)
            held = element
            list.append(element)
            list.append(Element(2))
        }
        #expect(held != nil)
        if let held { list.remove(held) }
        #expect(held == nil && list.all.map(\.number) == [2])
    }
}
