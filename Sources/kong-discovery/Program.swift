import Glibc

/// Where the program begins.
///
/// An asynchronous `main()` would end the first thread (dispatch_main): glibc takes it for gone from then on, but the
/// kernel keeps it. It would keep root's rights when all other threads become another user (`Privileges`), and the
/// process would be shown as root's. So it waits here.
@main
enum Program {
    static func main() {
        Task.detached {
            await KongDiscovery.main()
            exit(EXIT_SUCCESS)
        }
        // Signals end it for a moment.
        while true { pause() }
    }
}
