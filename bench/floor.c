// The floor: how fast a single thread can answer over UDP on this machine when it does nothing but receive and send.
//
//     floor [-g] ADDRESS PORT TYPE:SIZE:ANSWERS:ADDITIONALS...      e.g.  floor 127.0.0.1 5300 1:101:4:0 33:285:4:4
//
// For a query of TYPE it sends SIZE octets: the query's ID and question, and after them canned records. There is no
// lookup and no check beyond what keeps it within its buffers. Batches go through recvmmsg and sendmmsg; everything
// that can be set up once is set up once. On SIGTERM it prints one JSON line with the batch sizes it saw.
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "segments.h"

enum {
    BATCH = 64,
    HEADER_OCTETS = 12,
    // An odd number of 64-octet cache lines: buffers at a power-of-two distance would share the same cache sets.
    BUFFER_OCTETS = 21 * 64,
    MAXIMUM_KINDS = 8,
    RECORD_OCTETS = 16,
};

struct kind {
    unsigned type, size, answers, additionals;
};

static struct kind kinds[MAXIMUM_KINDS];
static unsigned kind_count;
static uint8_t canned[BUFFER_OCTETS];
static _Alignas(64) uint8_t buffers[BATCH][BUFFER_OCTETS];
static struct sockaddr_in clients[BATCH];
static struct iovec received_parts[BATCH], sent_parts[BATCH];
static struct mmsghdr received[BATCH], sent[BATCH];
static unsigned long batches_of_size[BATCH + 1];
static volatile sig_atomic_t stopping;
static bool sends_groups;
static struct iovec group_parts[BATCH];
static struct mmsghdr groups[BATCH];
static union segment_control controls[BATCH];

static void stop(int signal) { (void)signal, stopping = 1; }

static void fail(const char *what) {
    perror(what);
    exit(1);
}

static void prepare(void) {
    static const uint8_t record[RECORD_OCTETS] = {0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 10, 0, 0, 1};
    for (size_t i = 0; i < sizeof canned; i++) canned[i] = record[i % RECORD_OCTETS];
    for (int i = 0; i < BATCH; i++) {
        received_parts[i] = (struct iovec){buffers[i], BUFFER_OCTETS};
        sent_parts[i] = (struct iovec){buffers[i], 0};
        // The kernel writes the same IPv4 length back into msg_namelen each time, so it never has to be set again.
        struct msghdr common = {.msg_name = &clients[i], .msg_namelen = sizeof clients[i], .msg_iovlen = 1};
        received[i].msg_hdr = sent[i].msg_hdr = common;
        received[i].msg_hdr.msg_iov = &received_parts[i];
        sent[i].msg_hdr.msg_iov = &sent_parts[i];
    }
}

/// Turns the query in `message` into its answer, in place: ID and question are already where they belong.
/// Returns the answer's octets, or 0 for what is no plain query.
static unsigned answer(uint8_t *message, unsigned length) {
    if (length < HEADER_OCTETS + 5 || message[2] & 0x80) return 0;
    unsigned position = HEADER_OCTETS;
    while (position < length && message[position] != 0) position += message[position] + 1;
    if (position + 5 > length) return 0;
    unsigned type = message[position + 1] << 8 | message[position + 2];
    position += 5;
    for (unsigned i = 0; i < kind_count; i++) {
        const struct kind *kind = &kinds[i];
        if (kind->type != type || kind->size < position) continue;
        message[2] = (message[2] & 0x01) | 0x84;  // QR, AA, RD as asked
        message[3] = 0;
        memset(message + 4, 0, 8);
        message[5] = 1;
        message[7] = kind->answers;
        message[11] = kind->additionals;
        memcpy(message + position, canned, kind->size - position);
        return kind->size;
    }
    return 0;
}

static void send_all(int descriptor, struct mmsghdr *messages, int count) {
    for (int done = 0; done < count;) {
        int result = sendmmsg(descriptor, messages + done, count - done, 0);
        if (result < 0 && errno == EINTR) continue;
        done += result > 0 ? result : 1;
    }
}

/// Puts answers of one length to one client's port together. Returns how many messages that makes.
static int make_groups(int count) {
    int group_count = 0, parts = 0;
    uint64_t grouped = 0;
    for (int i = 0; i < count; i++) {
        if (grouped >> i & 1) continue;
        const struct sockaddr_in *client = sent[i].msg_hdr.msg_name;
        uint16_t octets = sent_parts[i].iov_len;
        struct msghdr *group = &groups[group_count].msg_hdr;
        *group = (struct msghdr){.msg_name = sent[i].msg_hdr.msg_name, .msg_namelen = sizeof *client};
        group->msg_iov = &group_parts[parts];
        for (int j = i; j < count; j++) {
            const struct sockaddr_in *other = sent[j].msg_hdr.msg_name;
            if (grouped >> j & 1 || sent_parts[j].iov_len != octets || other->sin_port != client->sin_port ||
                other->sin_addr.s_addr != client->sin_addr.s_addr) continue;
            grouped |= UINT64_C(1) << j;
            group_parts[parts++] = sent_parts[j];
            group->msg_iovlen++;
        }
        if (group->msg_iovlen > 1) send_in_segments(group, &controls[group_count], octets);
        group_count++;
    }
    return group_count;
}

static void serve(int descriptor) {
    while (!stopping) {
        int count = recvmmsg(descriptor, received, BATCH, MSG_WAITFORONE, NULL);
        if (count < 0) {
            if (errno == EINTR) continue;
            fail("recvmmsg");
        }
        batches_of_size[count]++;
        int ready = 0;
        for (int i = 0; i < count; i++) {
            unsigned length = answer(buffers[i], received[i].msg_len);
            if (length == 0) continue;
            // Only a dropped query makes the two lists differ.
            if (ready != i) {
                sent_parts[ready].iov_base = buffers[i];
                sent[ready].msg_hdr.msg_name = &clients[i];
            }
            sent_parts[ready++].iov_len = length;
        }
        if (sends_groups) send_all(descriptor, groups, make_groups(ready));
        else send_all(descriptor, sent, ready);
        if (ready != count) {
            for (int i = 0; i < BATCH; i++) {
                sent_parts[i].iov_base = buffers[i];
                sent[i].msg_hdr.msg_name = &clients[i];
            }
        }
    }
}

static void print_batches(void) {
    unsigned long batches = 0, datagrams = 0;
    for (int size = 1; size <= BATCH; size++) {
        batches += batches_of_size[size];
        datagrams += size * batches_of_size[size];
    }
    printf("{\"datagrams\": %lu, \"batches\": %lu, \"mean_batch\": %.2f, \"share_of_batches\": {", datagrams, batches,
           batches ? (double)datagrams / batches : 0.0);
    for (int first = 1; first <= BATCH; first *= 2) {
        unsigned long within = 0;
        int last = 2 * first - 1 < BATCH ? 2 * first - 1 : BATCH;
        for (int size = first; size <= last; size++) within += batches_of_size[size];
        printf("%s\"%d-%d\": %.3f", first > 1 ? ", " : "", first, last, batches ? (double)within / batches : 0.0);
    }
    printf("}}\n");
}

int main(int argc, char **argv) {
    if (argc > 1 && strcmp(argv[1], "-g") == 0) sends_groups = true, argv++, argc--;
    if (argc < 4 || argc - 3 > MAXIMUM_KINDS) {
        fprintf(stderr, "usage: floor [-g] ADDRESS PORT TYPE:SIZE:ANSWERS:ADDITIONALS...\n");
        return 2;
    }
    for (int i = 3; i < argc; i++) {
        struct kind *kind = &kinds[kind_count++];
        int parts = sscanf(argv[i], "%u:%u:%u:%u", &kind->type, &kind->size, &kind->answers, &kind->additionals);
        if (parts != 4 || kind->size > BUFFER_OCTETS || kind->answers > 255 || kind->additionals > 255) {
            fprintf(stderr, "floor: bad kind of answer: %s\n", argv[i]);
            return 2;
        }
    }
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(atoi(argv[2]))};
    if (inet_pton(AF_INET, argv[1], &address.sin_addr) != 1) {
        fprintf(stderr, "floor: not an IPv4 address: %s\n", argv[1]);
        return 2;
    }
    // Without SA_RESTART, so that a blocked recvmmsg returns.
    struct sigaction action = {.sa_handler = stop};
    sigaction(SIGTERM, &action, NULL);
    sigaction(SIGINT, &action, NULL);
    prepare();
    int descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket");
    if (bind(descriptor, (struct sockaddr *)&address, sizeof address) < 0) fail("bind");
    serve(descriptor);
    print_batches();
    return 0;
}
