/// How many octets must be inserted, removed, replaced or swapped with a neighbour to turn one text into the other.
///
/// The cost is the product of both lengths.
func editDistance(_ first: String, _ second: String) -> Int {
    let (first, second) = (Array(first.utf8), Array(second.utf8))
    var beforeLast = [Int](repeating: 0, count: second.count + 1)
    var last = Array(0...second.count)
    var next = last
    for row in first.indices {
        next[0] = row + 1
        for column in second.indices {
            let isSame = first[row] == second[column]
            var distance = min(last[column + 1] + 1, next[column] + 1, last[column] + (isSame ? 0 : 1))
            if row > 0, column > 0, first[row] == second[column - 1], first[row - 1] == second[column] {
                distance = min(distance, beforeLast[column - 1] + 1)
            }
            next[column + 1] = distance
        }
        swap(&beforeLast, &last)
        swap(&last, &next)
    }
    return last[second.count]
}
