/// Objects in the order of their last use, least recently used first. Every change takes the same time, however many
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

    /// Whether there are no objects.
    var isEmpty: Bool { nodes.isEmpty }

    /// All objects, least recently used first.
    var all: [Element] {
        var elements: [Element] = []
        var next = head
        while let identifier = next, let node = nodes[identifier] {
            elements.append(node.element)
            next = node.next
        }
        return elements
    }

    /// The least recently used object for which `isWanted` holds.
    func first(where isWanted: (Element) -> Bool) -> Element? {
        var next = head
        while let identifier = next, let node = nodes[identifier] {
            if isWanted(node.element) { return node.element }
            next = node.next
        }
        return nil
    }

    /// Adds an object that is not there yet, as the most recently used.
    mutating func append(_ element: Element) {
        let identifier = ObjectIdentifier(element)
        nodes[identifier] = Node(element: element, previous: tail, next: nil)
        if let tail { nodes[tail]?.next = identifier } else { head = identifier }
        tail = identifier
    }

    /// Removes an object.
    ///
    /// - Returns: whether it was there.
    @discardableResult
    mutating func remove(_ element: Element) -> Bool {
        guard let node = nodes.removeValue(forKey: ObjectIdentifier(element)) else { return false }
        if let previous = node.previous { nodes[previous]?.next = node.next } else { head = node.next }
        if let next = node.next { nodes[next]?.previous = node.previous } else { tail = node.previous }
        return true
    }

    /// Notes that an object was used.
    mutating func moveToEnd(_ element: Element) {
        if remove(element) { append(element) }
    }
}
