#!/bin/sh
# Keeps one instance registered at kong-discovery: registers it, sends heartbeats, and deregisters it at the end.
#
#   register.sh         runs until SIGTERM or SIGINT
#   register.sh once    sends one heartbeat, and registers if the instance is unknown: for timers
#   register.sh stop    deregisters
#
# What it is told by its environment:
#   SERVICE_NAME, SERVICE_PORT     required
#   SERVICE_IP                     default: the address of this machine's name
#   SERVICE_ID                     default: name, address and port, with hyphens between them
#   SERVICE_TTL                    seconds, default 30; a heartbeat is sent three times in a ttl
#   SERVICE_TAGS, SERVICE_CHECKS   JSON lists, default []
#   SERVICE_LINGER                 seconds to wait once it is deregistered, default 5: Kong needs them to follow
#   KONG_DISCOVERY_URL             default http://127.0.0.1:8080
#   KONG_DISCOVERY_TOKEN           or KONG_DISCOVERY_TOKEN_FILE, if the server needs a token
set -eu

: "${SERVICE_NAME:?is not set}" "${SERVICE_PORT:?is not set}"
ip=${SERVICE_IP:-$(hostname -i | cut -d' ' -f1)}
id=${SERVICE_ID:-$(echo "$SERVICE_NAME-$ip-$SERVICE_PORT" | tr : -)}
ttl=${SERVICE_TTL:-30}
services=${KONG_DISCOVERY_URL:-http://127.0.0.1:8080}/api/v1/services
token=${KONG_DISCOVERY_TOKEN:-}
if [ -n "${KONG_DISCOVERY_TOKEN_FILE:-}" ]; then token=$(cat "$KONG_DISCOVERY_TOKEN_FILE"); fi

say() { echo "register.sh: $*" >&2; }

# call METHOD URL [BODY]: the status code, 000 if there was no answer. The token is not among the arguments of curl,
# where other users could read it.
call() {
    {
        if [ -n "$token" ]; then printf 'header = "Authorization: Bearer %s"\n' "$token"; fi
    } | curl --config - --silent --output /dev/null --write-out '%{http_code}' --max-time 5 \
        --request "$1" --header 'Content-Type: application/json' ${3:+--data "$3"} "$2" || true
}

# Renews the ttl; registers if the server does not know the instance (any more).
beat() {
    code=$(call PUT "$services/$id/heartbeat")
    if [ "$code" = 404 ]; then
        code=$(call POST "$services" "{\"id\":\"$id\",\"name\":\"$SERVICE_NAME\",\"ip\":\"$ip\",\"port\":$SERVICE_PORT,
            \"ttl\":$ttl,\"tags\":${SERVICE_TAGS:-[]},\"checks\":${SERVICE_CHECKS:-[]}}")
        if [ "$code" = 201 ] || [ "$code" = 200 ]; then say "registered $id at $ip:$SERVICE_PORT"; fi
    fi
    case $code in
    20?) ;;
    *) say "$id is not renewed: HTTP status $code"; return 1 ;;
    esac
}

leave() {
    code=$(call DELETE "$services/$id")
    say "deregistered $id: HTTP status $code"
}

case ${1:-run} in
once) beat ;;
stop) leave ;;
run)
    trap 'leave; sleep "${SERVICE_LINGER:-5}"; exit 0' TERM INT
    pause=$((ttl == 0 ? 60 : ttl > 3 ? ttl / 3 : 1))
    while true; do
        if beat; then next=$pause; else next=1; fi
        # wait ends at a signal, sleep does not.
        sleep "$next" &
        wait $!
    done
    ;;
*) say "unknown command $1"; exit 2 ;;
esac
