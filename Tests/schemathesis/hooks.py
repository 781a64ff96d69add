"""What schemathesis has to know besides the description: the rules that no JSON Schema, and no OpenAPI, can state."""

import re

import schemathesis
from schemathesis.specs.openapi.checks import positive_data_acceptance

# The messages of a 422 for data that the description allows.
BEYOND_SCHEMAS = [
    # Which addresses may be registered is a matter of ranges of numbers, and of who asks.
    r"^must not be (the unspecified|a link-local|a multicast|an IPv4-mapped|in 0\.0\.0\.0/8|in 240\.0\.0\.0/4)",
    r"^must not stand for an IPv4 address that can't be registered$",
    # Sizes are counted in octets, not in characters, and of a whole field, not of each text in it.
    r"^must not have more than \d+ octets in all",
    r"^must have \d+ to \d+ octets$",
    # Fields, or parameters, that need or bound another one.
    r"^must not be (longer|shorter) than the interval, ",
    r"^needs an 'index'$",
    r"^is required with subtree=true$",
    r"^occurs twice$",
    # Two lists that may have so many items together.
    r"^must not have more than \d+ items$",
    # An IPv6 address as a part of a text.
    r"^must be a host name or an address, with an optional port$",
    # Two numbers in one text, of which the second must not be lower.
    r"^must be statuses from 100 to 599, ",
    # What an admin has set for the service before.
    r"^must be at (most|least) \d+: (max_weight|min_priority) in the policy of '",
    # Names that have to be compared without regard to case.
    r"^can't be set$",
    r"^is the field 'host' of the check$",
    # A text is a backup only with its check sum.
    r"^nothing was changed, for the backup can't be restored: ",
    # Names have labels of 63 octets and 255 in all, and escapes.
    r"^is not a domain name$",
]

# The lists that wait for news.
LISTS = ["/api/v1/services", "/api/v1/names"]
# How long they wait at most, in milliseconds.
LONGEST_WAIT = 600_000
UNITS = {"ms": 1, "s": 1000, "m": 60_000, "h": 3_600_000}


def is_beyond_schemas(response) -> bool:
    """Whether a response names only rules that no schema can state."""
    if response.status_code != 422:
        return False
    errors = response.json().get("errors", [])
    return bool(errors) and all(
        any(re.search(rule, error["message"]) for rule in BEYOND_SCHEMAS) for error in errors
    )


@schemathesis.check
def valid_data_is_accepted(ctx, response, case):
    """What the description allows is accepted, or refused by one of the rules above."""
    if is_beyond_schemas(response):
        return None
    return positive_data_acceptance(ctx, response, case)


# A backup is sent as the text that it is.
schemathesis.serializer.alias("application/x-ndjson", "text/plain")


@schemathesis.hook
def before_call(context, case, kwargs):
    """A list that waits for news, as it is asked to, does so for a moment only."""
    if case.operation.path in LISTS and isinstance(case.query, dict) and "index" in case.query:
        wait = re.fullmatch(r"([0-9]{1,100})(ms|s|m|h)", str(case.query.get("wait", "5m")))
        # One that is too long has to be refused.
        if wait and int(wait[1]) * UNITS[wait[2]] <= LONGEST_WAIT:
            case.query["wait"] = "10ms"
