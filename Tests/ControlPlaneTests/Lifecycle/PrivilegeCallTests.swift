import CPrivileges
import Glibc
import Testing

/// What a process that has given up its privileges can't do any more.
@Suite struct PrivilegeCallTests {
    @Test func `no program can be executed, and files and sockets can be opened as before`() async {
        // In a process of its own, since there is no way back.
        await #expect(processExitsWith: .exitCode(EXIT_SUCCESS)) {
            guard refuse_calls() == 0 else { exit(2) }
            // Unsafe: the words live until the process ends.
            let words = unsafe [strdup("/bin/true"), nil]
            guard unsafe posix_spawn(nil, "/bin/true", nil, nil, words, nil) == EPERM else { exit(3) }
            guard unsafe open("/dev/null", O_RDWR) >= 0, socket(AF_INET, Int32(SOCK_DGRAM.rawValue), 0) >= 0 else {
                exit(4)
            }
            exit(EXIT_SUCCESS)
        }
    }
}
