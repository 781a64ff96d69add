// Measures how long a DNS server takes for single queries while others flood it; with -f it is the flood.
//
//     probe -p PORT -d FILE [-l SECONDS] [-r PROBES_A_SECOND]     asks the names of FILE, one "name A" a line
//     probe -f -p PORT [-r QUERIES_A_SECOND]                      asks random names below flood.example until SIGTERM
//     probe -f -p PORT -n NAME -a ADDRESS [-r …]                  asks one name, from another address of this machine
//
// Both are open loops: what is sent when does not depend on answers, and the time between two queries is random
// (exponential), so that neither is in step with the other, nor with a timer of the server.
//
// Prober, flood and upstream share a core, and the prober must not measure its own wait for it. So both times are
// taken by the kernel (SO_TIMESTAMPING): when the query enters the loopback device (TX_SOFTWARE, within our send) and
// when the answer does (RX_SOFTWARE: in netif_rx, within the server's sendmsg on the server's core). Between the two
// are delivery, the server's wake-up, its work, and its waiting for itself; nothing of the prober's. Where the kernel
// tells no time of sending, clock_gettime just before send stands in; "sent_by_kernel" says for how many it told.
//
// Every answer is checked: ID, QR, NOERROR, ANCOUNT > 0, and a first address of 10.0.0.0/8, as all registered ones.
// Prints one JSON line.
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <linux/errqueue.h>
#include <linux/net_tstamp.h>
#include <math.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "query.h"

enum {
    TYPE_A = 1,
    ANSWER_OCTETS = 4096,
    RECORD_HEAD_OCTETS = 12,  // pointer, type, class, TTL, RDLENGTH
    MAXIMUM_PROBES = 60000,   // fewer than IDs, so that each probe has one of its own
    BATCH = 64,
    RANDOM_LETTERS = 16,
};
static const uint64_t SECOND = 1000000000, DRAIN_NANOSECONDS = 1000000000, LONGEST_LAG = 50000000;
static const double LOST_MICROSECONDS = 1e6;

struct probe {
    uint64_t sent_nanoseconds;
    bool is_sent_by_kernel, is_answered;
    double microseconds;
};

static struct query *queries;
static size_t query_count;
static struct probe *probes;
static unsigned probe_count;
static uint64_t answered, wrong, failed, random_state;
static volatile sig_atomic_t is_stopping;

static void fail(const char *what) {
    fprintf(stderr, "probe: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t read_clock(clockid_t clock) {
    struct timespec time;
    clock_gettime(clock, &time);
    return (uint64_t)time.tv_sec * SECOND + time.tv_nsec;
}

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

/// The time to the next query: exponential, as of many independent clients.
static uint64_t next_interval(double rate) {
    double uniform = ((next_random() >> 11) + 1) * 0x1p-53;
    return -log(uniform) / rate * SECOND;
}

static void load(const char *path) {
    FILE *file = fopen(path, "r");
    if (file == NULL) fail(path);
    char name[256];
    for (size_t capacity = 0; fscanf(file, "%255s A", name) == 1; query_count++) {
        if (query_count == capacity) {
            capacity = capacity ? 2 * capacity : 1024;
            queries = realloc(queries, capacity * sizeof *queries);
            if (queries == NULL) fail("realloc");
        }
        if (!encode_query(&queries[query_count], name, TYPE_A, false)) {
            fprintf(stderr, "probe: %s: can't ask \"%s A\"\n", path, name);
            exit(1);
        }
    }
    fclose(file);
    if (query_count == 0) {
        fprintf(stderr, "probe: %s has no queries\n", path);
        exit(1);
    }
}

static int connect_to(unsigned port, const char *source) {
    struct sockaddr_in server = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct sockaddr_in own = {.sin_family = AF_INET};
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (descriptor < 0) fail("socket");
    int octets = 4 << 20;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
    if (source != NULL && inet_pton(AF_INET, source, &own.sin_addr) != 1) errno = EINVAL, fail(source);
    if (bind(descriptor, (const struct sockaddr *)&own, sizeof own) < 0) fail("bind");
    if (connect(descriptor, (const struct sockaddr *)&server, sizeof server) < 0) fail("connect");
    return descriptor;
}

// MARK: The prober

/// Before the flood and the upstream, whenever it has something to do; where that is not permitted, as they are.
static void raise_priority(void) {
    struct sched_param parameters = {.sched_priority = 10};
    if (sched_setscheduler(0, SCHED_FIFO, &parameters) < 0) setpriority(PRIO_PROCESS, 0, -10);
    prctl(PR_SET_TIMERSLACK, 1);
}

static void ask_for_times(int descriptor) {
    unsigned flags = SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RX_SOFTWARE | SOF_TIMESTAMPING_TX_SOFTWARE |
                     SOF_TIMESTAMPING_OPT_ID | SOF_TIMESTAMPING_OPT_TSONLY;
    if (setsockopt(descriptor, SOL_SOCKET, SO_TIMESTAMPING, &flags, sizeof flags) < 0) fail("SO_TIMESTAMPING");
}

/// Receives a message with its time; from the queue of errors also with its number.
static ssize_t receive(int descriptor, uint8_t *octets, int flags, uint64_t *time, uint32_t *number) {
    union {
        char octets[512];
        struct cmsghdr header;
    } control;
    struct iovec part = {octets, ANSWER_OCTETS};
    struct msghdr message = {
        .msg_iov = &part, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t length = recvmsg(descriptor, &message, MSG_DONTWAIT | flags);
    if (length < 0) return length;
    *time = 0;
    for (struct cmsghdr *each = CMSG_FIRSTHDR(&message); each != NULL; each = CMSG_NXTHDR(&message, each)) {
        if (each->cmsg_level == SOL_SOCKET && each->cmsg_type == SCM_TIMESTAMPING) {
            struct scm_timestamping times;
            memcpy(&times, CMSG_DATA(each), sizeof times);
            *time = (uint64_t)times.ts[0].tv_sec * SECOND + times.ts[0].tv_nsec;
        } else if (each->cmsg_level == SOL_IP && each->cmsg_type == IP_RECVERR && number != NULL) {
            struct sock_extended_err error;
            memcpy(&error, CMSG_DATA(each), sizeof error);
            if (error.ee_origin != SO_EE_ORIGIN_TIMESTAMPING) *time = 0;
            *number = error.ee_data;
        }
    }
    return length;
}

static void send_probe(int descriptor) {
    struct query *query = &queries[probe_count % query_count];
    query->octets[0] = probe_count >> 8;
    query->octets[1] = probe_count;
    probes[probe_count].sent_nanoseconds = read_clock(CLOCK_REALTIME);
    if (send(descriptor, query->octets, query->length, MSG_DONTWAIT) < 0) fail("send");
    probe_count++;
    // On the loopback device the time is there when send returns.
    uint8_t octets[ANSWER_OCTETS];
    uint64_t time;
    uint32_t number = 0;
    while (receive(descriptor, octets, MSG_ERRQUEUE, &time, &number) >= 0) {
        if (time == 0 || number >= probe_count) continue;
        probes[number].sent_nanoseconds = time;
        probes[number].is_sent_by_kernel = true;
    }
}

static bool is_right(const uint8_t *answer, size_t length, unsigned number) {
    const struct query *query = &queries[number % query_count];
    return length > query->length + RECORD_HEAD_OCTETS && (answer[2] & 0x80) && (answer[3] & 0x0f) == 0 &&
           (answer[6] | answer[7]) &&
           memcmp(answer + HEADER_OCTETS, query->octets + HEADER_OCTETS, query->length - HEADER_OCTETS) == 0 &&
           answer[query->length + RECORD_HEAD_OCTETS] == 10;
}

static void receive_answers(int descriptor) {
    uint8_t answer[ANSWER_OCTETS];
    uint64_t time;
    for (ssize_t length; (length = receive(descriptor, answer, 0, &time, NULL)) >= 0;) {
        unsigned number = length < 2 ? UINT16_MAX : answer[0] << 8 | answer[1];
        if (number >= probe_count || probes[number].is_answered || !is_right(answer, length, number) || time == 0) {
            wrong++;
            continue;
        }
        probes[number].is_answered = true;
        probes[number].microseconds = ((double)time - (double)probes[number].sent_nanoseconds) / 1e3;
        answered++;
    }
}

static int compare(const void *left, const void *right) {
    double a = *(const double *)left, b = *(const double *)right;
    return (a > b) - (a < b);
}

static int probe(int descriptor, double rate, double seconds) {
    probes = calloc(MAXIMUM_PROBES, sizeof *probes);
    double *times = calloc(MAXIMUM_PROBES, sizeof *times);
    if (probes == NULL || times == NULL) fail("calloc");
    raise_priority();
    ask_for_times(descriptor);
    // The kernel begins to take times a moment later, in a work queue.
    usleep(100000);
    uint64_t start = read_clock(CLOCK_MONOTONIC), end = start + (uint64_t)(seconds * SECOND);
    uint64_t due = start + next_interval(rate), time;
    while ((time = read_clock(CLOCK_MONOTONIC)) < end && probe_count < MAXIMUM_PROBES) {
        if (time >= due) {
            send_probe(descriptor);
            due += next_interval(rate);
            continue;
        }
        struct timespec left = {.tv_sec = (due - time) / SECOND, .tv_nsec = (due - time) % SECOND};
        ppoll(&(struct pollfd){descriptor, POLLIN, 0}, 1, &left, NULL);
        receive_answers(descriptor);
    }
    while (answered < probe_count && read_clock(CLOCK_MONOTONIC) < time + DRAIN_NANOSECONDS) {
        poll(&(struct pollfd){descriptor, POLLIN, 0}, 1, 10);
        receive_answers(descriptor);
    }
    unsigned count = 0, by_kernel = 0;
    for (unsigned number = 0; number < probe_count; number++) {
        by_kernel += probes[number].is_sent_by_kernel;
        // One that is lost has waited as long as anybody would.
        times[count++] = probes[number].is_answered ? probes[number].microseconds : LOST_MICROSECONDS;
    }
    qsort(times, count, sizeof *times, compare);
    printf("{\"probes\": %u, \"answers\": %lu, \"lost\": %lu, \"wrong\": %lu, \"p50_microseconds\": %.1f, "
           "\"p99_microseconds\": %.1f, \"p999_microseconds\": %.1f, \"largest_microseconds\": %.1f, "
           "\"sent_by_kernel\": %u}\n",
           probe_count, answered, probe_count - answered, wrong, times[count / 2], times[count * 99ul / 100],
           times[count * 999ul / 1000], count ? times[count - 1] : 0.0, by_kernel);
    return 0;
}

// MARK: The flood

static void stop(int signal_number) {
    (void)signal_number;
    is_stopping = 1;
}

/// Reads what has come, so that it is known how the flood is answered.
static void count_answers(int descriptor) {
    static uint8_t octets[BATCH][HEADER_OCTETS];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){octets[i], HEADER_OCTETS};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    int count = recvmmsg(descriptor, messages, BATCH, MSG_DONTWAIT, NULL);
    for (int i = 0; i < count; i++) {
        bool is_failure = (octets[i][3] & 0x0f) == 2 || (octets[i][3] & 0x0f) == 5;
        answered += !is_failure;
        failed += is_failure;
    }
}

static void send_flood(int descriptor, const char *fixed_name, unsigned count) {
    static struct query flood[BATCH];
    struct iovec parts[BATCH];
    struct mmsghdr messages[BATCH];
    for (unsigned i = 0; i < count; i++) {
        char name[64] = "................" ".flood.example";
        for (int letter = 0; letter < RANDOM_LETTERS; letter++) name[letter] = 'a' + next_random() % 26;
        encode_query(&flood[i], fixed_name != NULL ? fixed_name : name, TYPE_A, true);
        flood[i].octets[0] = next_random();
        flood[i].octets[1] = next_random();
        parts[i] = (struct iovec){flood[i].octets, flood[i].length};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_iov = &parts[i], .msg_iovlen = 1}};
    }
    for (unsigned done = 0; done < count;) {
        int result = sendmmsg(descriptor, messages + done, count - done, 0);
        if (result > 0) done += result;
        else if (errno != EINTR && errno != EAGAIN && errno != ENOBUFS) fail("sendmmsg");
    }
}

static int flood(int descriptor, const char *name, double rate) {
    signal(SIGTERM, stop);
    prctl(PR_SET_TIMERSLACK, 1);
    uint64_t sent = 0, skipped = 0, start = read_clock(CLOCK_MONOTONIC), due = start;
    while (!is_stopping) {
        uint64_t time = read_clock(CLOCK_MONOTONIC);
        if (time < due) {
            count_answers(descriptor);
            clock_nanosleep(
                CLOCK_MONOTONIC, TIMER_ABSTIME,
                &(struct timespec){.tv_sec = due / SECOND, .tv_nsec = due % SECOND}, NULL);
            continue;
        }
        // After a long time without the core it goes on where it should be by now: a flood, no single wave.
        for (; due + LONGEST_LAG < time; due += next_interval(rate)) skipped++;
        unsigned count = 0;
        for (; due <= time && count < BATCH; due += next_interval(rate)) count++;
        send_flood(descriptor, name, count);
        sent += count;
    }
    double seconds = (read_clock(CLOCK_MONOTONIC) - start) / 1e9;
    printf("{\"queries_per_second\": %.0f, \"queries\": %lu, \"skipped\": %lu, \"answered\": %lu, \"failed\": %lu}\n",
           sent / seconds, sent, skipped, answered, failed);
    return 0;
}

int main(int argc, char **argv) {
    const char *path = NULL, *name = NULL, *source = NULL;
    unsigned port = 0;
    double seconds = 2, rate = 1000;
    bool is_flood = false;
    for (int option; (option = getopt(argc, argv, "p:d:l:r:fn:a:")) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'd': path = optarg; break;
        case 'l': seconds = atof(optarg); break;
        case 'r': rate = atof(optarg); break;
        case 'f': is_flood = true; break;
        case 'n': name = optarg; break;
        case 'a': source = optarg; break;
        default: return 2;
        }
    }
    if (port == 0 || port > 65535 || rate <= 0 || (path == NULL && !is_flood)) {
        fprintf(stderr, "usage: %s -p PORT -d FILE [-l SECONDS] [-r RATE], or %s -f -p PORT [-n NAME] [-a ADDRESS] [-r RATE]\n",
                argv[0], argv[0]);
        return 2;
    }
    random_state = (read_clock(CLOCK_REALTIME) ^ (uint64_t)getpid() << 32) | 1;
    struct query query;
    if (name != NULL && !encode_query(&query, name, TYPE_A, true)) errno = EINVAL, fail(name);
    int descriptor = connect_to(port, source);
    if (is_flood) return flood(descriptor, name, rate);
    load(path);
    return probe(descriptor, rate, seconds);
}
