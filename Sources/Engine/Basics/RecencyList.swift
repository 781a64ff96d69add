/// Objects in the order of their last use, the one unused longest first: every change takes the same time however many
/// there are.
struct RecencyList<Element: AnyObject> {
    private struct Node {
        var element: Element
        var previous: ObjectIdentifier?
        var next: ObjectIdentifier?
    }

    private var nodes: [ObjectIdentifier: Node] = [:]
    private var head: ObjectIdentifier?
    private var tail: ObjectIdentifier?

    /// Whether there is none.
    var isEmpty: Bool { nodes.isEmpty }

    /// All, the one unused longest first.
    var all: [Element] {
        var elements: [Element] = []
        var next = head
        while let identifier = next, let node = nodes[identifier] {
            elements.append(node.element)
            next = node.next
        }
        return elements
    }

    /// The one unused longest of those that `isWanted`.
    func first(where isWanted: (Element) -> Bool) -> Element? {
        var next = head
        while let identifier = next, let node = nodes[identifier] {
            if isWanted(node.element) { return node.element }
            next = node.next
        }
        return nil
    }

    /// Adds one that is not there, as used last.
    mutating func append(_ element: Element) {
        let identifier = ObjectIdentifier(element)
        nodes[identifier] = Node(element: element, previous: tail, next: nil)
        if let tail { nodes[tail]?.next = identifier } else { head = identifier }
        tail = identifier
    }

    /// Removes one.
    ///
    /// - Returns: whether it was there.
    @discardableResult
    mutating func remove(_ element: Element) -> Bool {
        guard let node = nodes.removeValue(forKey: ObjectIdentifier(element)) else { return false }
        if let previous = node.previous { nodes[previous]?.next = node.next } else { head = node.next }
        if let next = node.next { nodes[next]?.previous = node.previous } else { tail = node.previous }
        return true
    }

    /// Notes that one was used.
    mutating func moveToEnd(_ element: Element) {
        if remove(element) { append(element) }
    }
}
