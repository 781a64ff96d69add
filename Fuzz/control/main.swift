import CFuzzer
import Glibc

// Which reader gets the inputs: FUZZED_READER, a case of FuzzedReader.
let name = unsafe getenv("FUZZED_READER").map { unsafe String(cString: $0) } ?? ""
guard let reader = FuzzedReader(rawValue: name) else {
    print("FUZZED_READER must be one of \(FuzzedReader.allCases.map(\.rawValue).joined(separator: ", "))")
    exit(2)
}
private let fuzzed = reader

// libFuzzer's own main() would collide with the one of an executable target; so it is called as a library.
var argumentCount = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
// Unsafe: both are what main() was given.
_ = unsafe LLVMFuzzerRunDriver(&argumentCount, &arguments) { octets, count in
    // Unsafe: libFuzzer passes `count` octets.
    let input = unsafe [UInt8](UnsafeBufferPointer(start: octets, count: count))
    if let complaint = fuzzed.complaint(about: input) { fatalError("\(complaint)\ninput: \(input)") }
    return 0
}
