import ArgumentParser
import ControlPlane

/// A length of time as the configuration has it: `500ms`, `5s`, `2m`, `1h`.
struct DurationArgument: ExpressibleByArgument {
    let duration: Duration

    init(_ duration: Duration) {
        self.duration = duration
    }

    init?(argument: String) {
        guard let duration = Duration(configurationText: argument) else { return nil }
        self.duration = duration
    }

    var defaultValueDescription: String { duration.configurationText }
}
