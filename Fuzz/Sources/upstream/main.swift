import CFuzzer

// libFuzzer's own main() would collide with the one of an executable target; so it is called as a library.
var argumentCount = CommandLine.argc
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = unsafe CommandLine.unsafeArgv
// Unsafe: both are what main() was given.
_ = unsafe LLVMFuzzerRunDriver(&argumentCount, &arguments) { octets, count in
    // Unsafe: libFuzzer passes `count` octets.
    readOneInput(unsafe [UInt8](UnsafeBufferPointer(start: octets, count: count)))
    return 0
}
