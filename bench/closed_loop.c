// A closed-loop DNS load generator: it keeps a fixed number of queries outstanding and asks the next one only when an
// answer (or a timeout) frees a place, so that the server's speed sets the pace and nothing piles up unseen.
//
//     closed_loop -s ADDRESS -p PORT -d FILE [-l SECONDS] [-k OUTSTANDING] [-n SOCKETS] [-r]
//
// FILE has dnsperf's format: one "name type" a line. Every answer is checked: ID, QR, NOERROR, ANCOUNT > 0.
// -r sets RD, for a resolver. Prints one JSON line. Exits 1 when nothing was answered.
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "query.h"
#include "segments.h"

enum {
    BATCH = 64,
    MAXIMUM_SOCKETS = 128,
    // A query's ID is its place (low octet) and how often that place was used (high octet), so that a late answer to
    // a query given up is not taken for the answer to the next one.
    MAXIMUM_PLACES = 256,
    ANSWER_OCTETS = 65 * 64,  // likewise; 4,096 and more
    SUB_BUCKETS = 32,
    BUCKETS = 64 * SUB_BUCKETS,
};
static const uint64_t SECOND = 1000000000, TIMEOUT_NANOSECONDS = 1000000000, DRAIN_NANOSECONDS = 100000000;

struct place {
    _Alignas(64) uint8_t octets[QUERY_OCTETS];
    uint64_t sent_nanoseconds;
    unsigned length;
    uint8_t uses;
    bool outstanding;
};

struct connection {
    int descriptor;
    struct place places[MAXIMUM_PLACES];
};

static bool recursion_desired;
static struct query *queries;
static size_t query_count, next_query;
static struct connection *connections;
static unsigned connection_count = 2, places_per_connection;
static _Alignas(64) uint8_t answers[BATCH][ANSWER_OCTETS];
static struct iovec received_parts[BATCH], sent_parts[BATCH];
static struct mmsghdr received[BATCH];
static uint64_t histogram[BUCKETS];
static uint64_t answered, lost, wrong, late, receive_calls, total_sent;

static uint64_t now(void) {
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return (uint64_t)time.tv_sec * SECOND + time.tv_nsec;
}

static void fail(const char *what) {
    fprintf(stderr, "closed_loop: %s: %s\n", what, strerror(errno));
    exit(1);
}

// A logarithmic histogram: 32 buckets for each power of two, so a percentile is exact to about 3 %.
static unsigned bucket_of(uint64_t nanoseconds) {
    if (nanoseconds < SUB_BUCKETS) return nanoseconds;
    unsigned shift = 63 - __builtin_clzll(nanoseconds) - 5;
    return (shift + 1) * SUB_BUCKETS + (nanoseconds >> shift) - SUB_BUCKETS;
}

static double percentile_microseconds(double share) {
    uint64_t wanted = (uint64_t)(share * answered), seen = 0;
    for (unsigned bucket = 0; bucket < BUCKETS; bucket++) {
        seen += histogram[bucket];
        if (seen <= wanted) continue;
        if (bucket < SUB_BUCKETS) return bucket / 1e3;
        unsigned shift = bucket / SUB_BUCKETS - 1;
        return ((uint64_t)(bucket % SUB_BUCKETS + SUB_BUCKETS) << shift) / 1e3;
    }
    return 0;
}

static void load(const char *path) {
    static const struct { const char *name; unsigned number; } types[] = {{"A", 1}, {"AAAA", 28}, {"SRV", 33}};
    FILE *file = fopen(path, "r");
    if (file == NULL) fail(path);
    char name[256], type_name[16];
    size_t capacity = 0;
    while (fscanf(file, "%255s %15s", name, type_name) == 2) {
        unsigned type = 0;
        for (size_t i = 0; i < sizeof types / sizeof types[0]; i++)
            if (strcasecmp(type_name, types[i].name) == 0) type = types[i].number;
        if (query_count == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            queries = realloc(queries, capacity * sizeof *queries);
            if (queries == NULL) fail("realloc");
        }
        if (type == 0 || !encode_query(&queries[query_count++], name, type, recursion_desired)) {
            fprintf(stderr, "closed_loop: %s: can't ask \"%s %s\"\n", path, name, type_name);
            exit(1);
        }
    }
    fclose(file);
    if (query_count == 0) {
        fprintf(stderr, "closed_loop: %s has no queries\n", path);
        exit(1);
    }
}

static void open_connections(const struct sockaddr_in *server) {
    connections = aligned_alloc(64, connection_count * sizeof *connections);
    if (connections == NULL) fail("aligned_alloc");
    memset(connections, 0, connection_count * sizeof *connections);
    for (unsigned i = 0; i < connection_count; i++) {
        int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
        if (descriptor < 0) fail("socket");
        int octets = 4 << 20;
        setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
        if (connect(descriptor, (const struct sockaddr *)server, sizeof *server) < 0) fail("connect");
        connections[i].descriptor = descriptor;
    }
    for (int i = 0; i < BATCH; i++) {
        received_parts[i] = (struct iovec){answers[i], ANSWER_OCTETS};
        received[i].msg_hdr = (struct msghdr){.msg_iov = &received_parts[i], .msg_iovlen = 1};
    }
}

/// Puts the next query of the list into `place`.
static void refill(struct place *place, unsigned number, uint64_t time) {
    const struct query *query = &queries[next_query];
    next_query = next_query + 1 == query_count ? 0 : next_query + 1;
    memcpy(place->octets, query->octets, query->length);
    place->octets[0] = ++place->uses;
    place->octets[1] = number;
    place->length = query->length;
    place->sent_nanoseconds = time;
    place->outstanding = true;
}

/// Sends queries, those of one length as one: the kernel takes them apart (UDP_SEGMENT, udp(7)). Each server receives
/// them as if they had been sent one by one.
static void send_places(struct connection *connection, const uint8_t *numbers, unsigned count) {
    union segment_control control;
    for (unsigned i = 0; i < count; i++) {
        struct place *place = &connection->places[numbers[i]];
        sent_parts[i] = (struct iovec){place->octets, place->length};
    }
    for (unsigned done = 0, end; done < count;) {
        size_t octets = sent_parts[done].iov_len;
        for (end = done + 1; end < count && sent_parts[end].iov_len == octets;) end++;
        struct msghdr message = {.msg_iov = &sent_parts[done], .msg_iovlen = end - done};
        if (end - done > 1) send_in_segments(&message, &control, octets);
        if (sendmsg(connection->descriptor, &message, 0) > 0) total_sent += end - done, done = end;
        else if (errno == EAGAIN || errno == ENOBUFS) poll(&(struct pollfd){connection->descriptor, POLLOUT, 0}, 1, 1);
        else if (errno != EINTR) fail("sendmsg");
    }
}

/// Receives what is there, up to one batch, and asks as many new queries unless `draining`. Returns how many came.
static int exchange(struct connection *connection, bool draining) {
    int count = recvmmsg(connection->descriptor, received, BATCH, MSG_DONTWAIT, NULL);
    if (count < 0) {
        if (errno == EAGAIN || errno == EINTR) return 0;
        fail("recvmmsg");
    }
    receive_calls++;
    uint64_t time = now();
    uint8_t free_places[BATCH];
    unsigned free_count = 0;
    for (int i = 0; i < count; i++) {
        const uint8_t *answer = answers[i];
        struct place *place = &connection->places[answer[1]];
        if (received[i].msg_len < HEADER_OCTETS) {
            wrong++;
            continue;
        }
        if (!place->outstanding || place->uses != answer[0]) {
            late++;
            continue;
        }
        place->outstanding = false;
        bool query_response = answer[2] & 0x80, no_error = (answer[3] & 0x0f) == 0, has_answer = answer[6] | answer[7];
        if (query_response && no_error && has_answer) {
            answered++;
            histogram[bucket_of(time - place->sent_nanoseconds)]++;
        } else {
            wrong++;
        }
        if (draining) continue;
        refill(place, answer[1], time);
        free_places[free_count++] = answer[1];
    }
    if (free_count > 0) send_places(connection, free_places, free_count);
    return count;
}

/// Gives up queries that got no answer in time, and asks others in their place.
static void give_up(uint64_t time) {
    for (unsigned i = 0; i < connection_count; i++) {
        for (unsigned number = 0; number < places_per_connection; number++) {
            struct place *place = &connections[i].places[number];
            if (time < place->sent_nanoseconds + TIMEOUT_NANOSECONDS) continue;
            lost++;
            refill(place, number, time);
            send_places(&connections[i], &(uint8_t){number}, 1);
        }
    }
}

/// One pass over all sockets; waits when none had anything.
static void turn(bool draining) {
    int count = 0;
    for (unsigned i = 0; i < connection_count; i++) count += exchange(&connections[i], draining);
    if (count > 0) return;
    struct pollfd descriptors[MAXIMUM_SOCKETS];
    for (unsigned i = 0; i < connection_count; i++)
        descriptors[i] = (struct pollfd){connections[i].descriptor, POLLIN, 0};
    poll(descriptors, connection_count, 10);
}

/// How long this process was ready to run while something else had its core.
static double waited_seconds(void) {
    unsigned long long running, waiting = 0;
    FILE *file = fopen("/proc/self/schedstat", "r");
    if (file == NULL) return 0;
    if (fscanf(file, "%llu %llu", &running, &waiting) != 2) waiting = 0;
    fclose(file);
    return waiting / 1e9;
}

int main(int argc, char **argv) {
    struct sockaddr_in server = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    const char *path = NULL;
    double seconds = 4;
    unsigned outstanding = 128;
    for (int option; (option = getopt(argc, argv, "s:p:d:l:k:n:r")) != -1;) {
        switch (option) {
        case 's':
            if (inet_pton(AF_INET, optarg, &server.sin_addr) != 1) return fprintf(stderr, "bad address\n"), 2;
            break;
        case 'p': server.sin_port = htons(atoi(optarg)); break;
        case 'd': path = optarg; break;
        case 'l': seconds = atof(optarg); break;
        case 'k': outstanding = atoi(optarg); break;
        case 'r': recursion_desired = true; break;
        case 'n': connection_count = atoi(optarg); break;
        default: return 2;
        }
    }
    if (path == NULL || server.sin_port == 0 || connection_count == 0 || connection_count > MAXIMUM_SOCKETS ||
        outstanding < connection_count || outstanding > connection_count * MAXIMUM_PLACES) {
        fprintf(stderr, "usage: %s -s ADDRESS -p PORT -d FILE [-l SECONDS] [-k OUTSTANDING] [-n SOCKETS] [-r]\n", argv[0]);
        return 2;
    }
    places_per_connection = outstanding / connection_count;
    load(path);
    open_connections(&server);

    uint64_t start = now(), end = start + (uint64_t)(seconds * SECOND), next_check = start + TIMEOUT_NANOSECONDS / 4;
    for (unsigned i = 0; i < connection_count; i++) {
        for (unsigned number = 0; number < places_per_connection; number++) {
            refill(&connections[i].places[number], number, start);
            send_places(&connections[i], &(uint8_t){number}, 1);
        }
    }
    uint64_t time = start;
    while ((time = now()) < end) {
        turn(false);
        if (time >= next_check) {
            give_up(time);
            next_check = time + TIMEOUT_NANOSECONDS / 4;
        }
    }
    uint64_t counted = answered, nanoseconds = time - start;
    // What is still on its way belongs to no rate, but leaving it would send it to a closed port.
    while (answered + wrong + late < total_sent - lost && (time = now()) < end + DRAIN_NANOSECONDS) turn(true);

    struct rusage usage;
    getrusage(RUSAGE_SELF, &usage);
    double cpu = usage.ru_utime.tv_sec + usage.ru_stime.tv_sec;
    cpu += (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
    printf("{\"answers_per_second\": %.0f, \"answers\": %lu, \"seconds\": %.3f, \"lost\": %lu, \"wrong\": %lu, "
           "\"late\": %lu, \"p50_microseconds\": %.1f, \"p99_microseconds\": %.1f, \"p999_microseconds\": %.1f, "
           "\"mean_received_batch\": %.2f, \"generator_cpu_seconds\": %.3f, "
           "\"generator_waited_seconds\": %.3f, \"outstanding\": %u}\n",
           counted / (nanoseconds / 1e9), answered, nanoseconds / 1e9, lost, wrong, late,
           percentile_microseconds(0.50), percentile_microseconds(0.99), percentile_microseconds(0.999),
           receive_calls ? (double)answered / receive_calls : 0.0, cpu, waited_seconds(),
           places_per_connection * connection_count);
    return answered == 0;
}
