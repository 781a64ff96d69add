import Glibc

/// A user of this machine, with the groups whose rights the process will have.
struct Account: Sendable, Equatable {
    /// The name as configured.
    let text: String
    /// The user's name; `nil`: a number that belongs to nobody.
    let name: String?
    let user: uid_t
    let group: gid_t

    /// Finds a user: `NAME` or `NAME:GROUP`, each of which may be a number. Without a group, it is the user's own.
    ///
    /// - Throws: ``InvalidValue`` if there is no such user or group.
    init(_ text: String) throws(InvalidValue) {
        let parts = text.split(separator: ":", maxSplits: 1, omittingEmptySubsequences: false).map(String.init)
        let number = uid_t(parts[0])
        // Unsafe: the system's structure is read at once. Nothing else asks for accounts.
        let entry = unsafe number.map { unsafe getpwuid($0) } ?? getpwnam(parts[0])
        if let entry = unsafe entry {
            name = unsafe String(cString: entry.pointee.pw_name)
            user = unsafe entry.pointee.pw_uid
            group = try parts.count > 1 ? Self.group(parts[1]) : unsafe entry.pointee.pw_gid
        } else {
            guard let number else { throw InvalidValue("is no user of this machine") }
            guard parts.count > 1 else {
                throw InvalidValue("is a number without an account: give its group too, such as \(number):\(number)")
            }
            name = nil
            user = number
            group = try Self.group(parts[1])
        }
        self.text = text
    }

    private static func group(_ text: String) throws(InvalidValue) -> gid_t {
        if let number = gid_t(text) { return number }
        // Unsafe: as above.
        guard let entry = unsafe getgrnam(text) else { throw InvalidValue("has an unknown group") }
        return unsafe entry.pointee.gr_gid
    }

    /// Gives all threads of the process this user's identity and groups. Only root can.
    ///
    /// - Throws: the error number of the call that failed.
    func assume() throws(SystemError) {
        // Groups first: whoever is no longer root can't change them. Named users also have those that list them.
        // Unsafe: the name and the number are read before the calls return.
        let hasGroups =
            if let name { unsafe initgroups(name, group) } else { unsafe setgroups(1, [group]) }
        guard hasGroups == 0, setgid(group) == 0, setuid(user) == 0 else { throw SystemError(number: errno) }
        // setuid(2) in a container with odd settings may seem to have worked. Then this works too.
        guard user == 0 || setuid(0) != 0 else { throw SystemError(number: EPERM) }
    }
}

extension LoadedConfiguration {
    /// Finds the user that the process is to become.
    ///
    /// - Returns: `nil` if none is named.
    /// - Throws: ``ConfigurationError`` if this machine has no such user or group.
    func account() throws(ConfigurationError) -> Account? {
        guard !configuration.user.isEmpty else { return nil }
        do throws(InvalidValue) {
            return try Account(configuration.user)
        } catch {
            let message = "'\(configuration.user)' \(error.reason)"
            throw ConfigurationError([ConfigurationProblem(origin: origins["user"], key: "user", message: message)])
        }
    }

    /// Makes sure that this machine has the user that the process is to become.
    ///
    /// - Throws: ``ConfigurationError`` if it does not.
    public func checkUser() throws(ConfigurationError) { _ = try account() }
}

/// The error number of a system call.
struct SystemError: Error, Equatable {
    let number: Int32
}
