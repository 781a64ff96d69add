// An upstream DNS server that does its worst, on 127.0.0.1 over UDP, and over TCP where that is said.
//
//     hostile_upstream -p PORT -k KIND
//
//     answering   NXDOMAIN with a SOA at once
//     silent      nothing
//     garbage     four datagrams a query: three of random octets, one with the right ID, QR, and random octets then
//     lying       a wrong ID; then a wrong question; then the right answer, with an address of a registered name in
//                 ADDITIONAL, where it does not belong
//     large       65,000 octets: thousands of addresses and a TXT record. The loopback device takes them in one piece.
//                 Over TCP too
//     fragments   4,000 octets of the same in IP fragments of 1,500, made by hand on a raw socket, since the loopback
//                 device's MTU is too large to need any. Only as root (CAP_NET_RAW)
//
// Prints "ready" when it listens. Runs until it is killed.
#define _GNU_SOURCE 1
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    BATCH = 32,
    HEADER_OCTETS = 12,
    QUERY_OCTETS = 512,
    LARGE_OCTETS = 65000,
    FRAGMENTED_OCTETS = 4000,
    FRAGMENT_OCTETS = 1480,  // of what an IP packet of 1,500 carries
    GARBAGE_DATAGRAMS = 4,
    GARBAGE_OCTETS = 1400,
};

typedef void answer_function(const uint8_t *query, unsigned end, const struct sockaddr_in *client);

static int descriptor, raw_descriptor;
static struct sockaddr_in own_address;
static uint64_t random_state = 0x9e3779b97f4a7c15;
static _Thread_local uint8_t message[65536];

static void fail(const char *what) {
    fprintf(stderr, "hostile_upstream: %s: %s\n", what, strerror(errno));
    exit(1);
}

static uint64_t next_random(void) {
    random_state ^= random_state << 13;
    random_state ^= random_state >> 7;
    return random_state ^= random_state << 17;
}

static void fill_random(uint8_t *octets, size_t count) {
    for (size_t i = 0; i < count; i += 8) {
        uint64_t bits = next_random();
        memcpy(octets + i, &bits, count - i < 8 ? count - i : 8);
    }
}

/// Where a query's question ends; 0: it has none.
static unsigned question_end(const uint8_t *query, unsigned length) {
    unsigned position = HEADER_OCTETS;
    while (position < length && query[position] != 0) position += 1 + query[position];
    return position + 5 <= length ? position + 5 : 0;
}

// A client that is gone by now is no error of ours.
static void send_message(unsigned length, const struct sockaddr_in *client) {
    sendto(descriptor, message, length, MSG_DONTWAIT, (const struct sockaddr *)client, sizeof *client);
}

/// Header and question of a reply; the records' counts in ANSWER, AUTHORITY and ADDITIONAL. Returns its length.
static unsigned begin(const uint8_t *query, unsigned end, unsigned code, const unsigned counts[3]) {
    memcpy(message, query, end);
    message[2] = 0x81;         // QR, RD
    message[3] = 0x80 | code;  // RA
    for (int i = 0; i < 3; i++) message[6 + 2 * i] = counts[i] >> 8, message[7 + 2 * i] = counts[i];
    return end;
}

/// A record of the name that was asked.
static unsigned append(unsigned position, unsigned type, const void *data, unsigned length) {
    const uint8_t head[] = {0xc0, HEADER_OCTETS, type >> 8, type, 0, 1, 0, 0, 1, 44, length >> 8, length};
    memcpy(message + position, head, sizeof head);
    memcpy(message + position + sizeof head, data, length);
    return position + sizeof head + length;
}

static void answer_at_once(const uint8_t *query, unsigned end, const struct sockaddr_in *client) {
    // MNAME and RNAME are the root, then five numbers.
    static const uint8_t authority[22] = {[5] = 1, [9] = 60, [13] = 60, [17] = 60, [21] = 60};
    unsigned length = begin(query, end, 3, (unsigned[]){0, 1, 0});
    // The zone is the name's parent, so the SOA's owner is what follows the first label.
    length = append(length, 6, authority, sizeof authority);
    message[end + 1] = HEADER_OCTETS + 1 + query[HEADER_OCTETS];
    send_message(length, client);
}

static void stay_silent(const uint8_t *query, unsigned end, const struct sockaddr_in *client) {
    (void)query, (void)end, (void)client;
}

static void send_garbage(const uint8_t *query, unsigned end, const struct sockaddr_in *client) {
    (void)end;
    for (int i = 0; i < GARBAGE_DATAGRAMS; i++) {
        unsigned length = HEADER_OCTETS + next_random() % (GARBAGE_OCTETS - HEADER_OCTETS);
        fill_random(message, length);
        if (i == 0) memcpy(message, query, 2), message[2] = 0x81;
        send_message(length, client);
    }
}

static void lie(const uint8_t *query, unsigned end, const struct sockaddr_in *client) {
    static const uint8_t address[] = {192, 0, 2, 66};
    static const uint8_t registered[] = "\7svc0000\7service\4kong\0\0\1\0\1\0\0\1\54\0\4\300\0\2\102";
    unsigned length = append(begin(query, end, 0, (unsigned[]){1, 0, 0}), 1, address, sizeof address);
    message[1] ^= 0x55;
    send_message(length, client);
    message[1] ^= 0x55;
    // The names that are asked have letters alone.
    message[HEADER_OCTETS + 1] = '0';
    send_message(length, client);
    length = append(begin(query, end, 0, (unsigned[]){1, 0, 1}), 1, address, sizeof address);
    memcpy(message + length, registered, sizeof registered - 1);
    send_message(length + sizeof registered - 1, client);
}

/// As many addresses as fit, and a TXT record.
static unsigned make_large(const uint8_t *query, unsigned end, unsigned octets) {
    unsigned count = (octets - end - 15) / 16;
    unsigned length = begin(query, end, 0, (unsigned[]){count + 1, 0, 0});
    for (unsigned i = 0; i < count; i++) {
        const uint8_t address[] = {192, 0, i >> 8, i};
        length = append(length, 1, address, sizeof address);
    }
    // Another type, so that nobody may take it for a plain answer.
    const uint8_t text[] = {2, 'a', 'b'};
    return append(length, 16, text, sizeof text);
}

static void answer_large(const uint8_t *query, unsigned end, const struct sockaddr_in *client) {
    send_message(make_large(query, end, LARGE_OCTETS), client);
}

static void answer_in_fragments(const uint8_t *query, unsigned end, const struct sockaddr_in *client) {
    static uint16_t identification;
    static uint8_t datagram[sizeof(struct udphdr) + sizeof message];
    unsigned length = make_large(query, end, FRAGMENTED_OCTETS);
    unsigned total = sizeof(struct udphdr) + length;
    // A checksum of 0 is none.
    struct udphdr header = {.source = own_address.sin_port, .dest = client->sin_port, .len = htons(total)};
    memcpy(datagram, &header, sizeof header);
    memcpy(datagram + sizeof header, message, length);
    identification++;
    for (unsigned offset = 0; offset < total; offset += FRAGMENT_OCTETS) {
        unsigned count = total - offset < FRAGMENT_OCTETS ? total - offset : FRAGMENT_OCTETS;
        bool is_last = offset + count == total;
        uint8_t packet[sizeof(struct iphdr) + FRAGMENT_OCTETS];
        struct iphdr head = {
            .version = 4, .ihl = 5, .tot_len = htons(sizeof head + count), .id = htons(identification), .ttl = 64,
            .frag_off = htons(offset / 8 | (is_last ? 0 : IP_MF)), .protocol = IPPROTO_UDP,
            .saddr = own_address.sin_addr.s_addr, .daddr = client->sin_addr.s_addr};
        memcpy(packet, &head, sizeof head);
        memcpy(packet + sizeof head, datagram + offset, count);
        sendto(raw_descriptor, packet, sizeof head + count, 0, (const struct sockaddr *)client, sizeof *client);
    }
}

static bool read_all(int connection, uint8_t *octets, unsigned count) {
    return recv(connection, octets, count, MSG_WAITALL) == (ssize_t)count;
}

static void *answer_stream(void *argument) {
    int connection = (int)(intptr_t)argument;
    uint8_t prefix[2], query[QUERY_OCTETS];
    while (read_all(connection, prefix, sizeof prefix)) {
        unsigned length = prefix[0] << 8 | prefix[1];
        if (length > sizeof query || !read_all(connection, query, length)) break;
        unsigned end = question_end(query, length);
        if (end == 0) break;
        uint16_t answer_length = make_large(query, end, LARGE_OCTETS), big_endian = htons(answer_length);
        if (send(connection, &big_endian, sizeof big_endian, MSG_MORE) < 0) break;
        if (send(connection, message, answer_length, 0) != answer_length) break;
    }
    close(connection);
    return NULL;
}

static void *accept_streams(void *argument) {
    int listener = (int)(intptr_t)argument;
    for (;;) {
        int connection = accept(listener, NULL, NULL);
        pthread_t thread;
        if (connection < 0) continue;
        if (pthread_create(&thread, NULL, answer_stream, (void *)(intptr_t)connection) == 0) pthread_detach(thread);
        else close(connection);
    }
    return NULL;
}

static void listen_for_streams(void) {
    signal(SIGPIPE, SIG_IGN);
    int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0), yes = 1;
    if (listener < 0) fail("socket");
    setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(listener, (const struct sockaddr *)&own_address, sizeof own_address) < 0) fail("bind");
    if (listen(listener, 64) < 0) fail("listen");
    pthread_t thread;
    if (pthread_create(&thread, NULL, accept_streams, (void *)(intptr_t)listener) != 0) fail("pthread_create");
}

static answer_function *function_of(const char *kind) {
    static const struct { const char *name; answer_function *function; } kinds[] = {
        {"answering", answer_at_once}, {"silent", stay_silent}, {"garbage", send_garbage},
        {"lying", lie}, {"large", answer_large}, {"fragments", answer_in_fragments},
    };
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++)
        if (strcmp(kinds[i].name, kind) == 0) return kinds[i].function;
    return NULL;
}

static void open_sockets(unsigned port, bool with_raw) {
    own_address = (struct sockaddr_in){
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) fail("socket");
    int octets = 4 << 20;
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &octets, sizeof octets);
    setsockopt(descriptor, SOL_SOCKET, SO_SNDBUF, &octets, sizeof octets);
    if (bind(descriptor, (const struct sockaddr *)&own_address, sizeof own_address) < 0) fail("bind");
    if (!with_raw) return;
    // IPPROTO_RAW: we write the IP header.
    raw_descriptor = socket(AF_INET, SOCK_RAW | SOCK_CLOEXEC, IPPROTO_RAW);
    if (raw_descriptor < 0) fail("raw socket");
}

int main(int argc, char **argv) {
    unsigned port = 0;
    const char *kind = "";
    for (int option; (option = getopt(argc, argv, "p:k:")) != -1;) {
        switch (option) {
        case 'p': port = atoi(optarg); break;
        case 'k': kind = optarg; break;
        default: return 2;
        }
    }
    answer_function *answer = function_of(kind);
    if (port == 0 || port > 65535 || answer == NULL) {
        fprintf(stderr, "usage: %s -p PORT -k answering|silent|garbage|lying|large|fragments\n", argv[0]);
        return 2;
    }
    open_sockets(port, answer == answer_in_fragments);
    if (answer == answer_large) listen_for_streams();
    puts("ready");
    fflush(stdout);

    static uint8_t queries[BATCH][QUERY_OCTETS];
    static struct sockaddr_in clients[BATCH];
    struct iovec parts[BATCH];
    struct mmsghdr received[BATCH];
    for (int i = 0; i < BATCH; i++) {
        parts[i] = (struct iovec){queries[i], QUERY_OCTETS};
        received[i].msg_hdr = (struct msghdr){
            .msg_iov = &parts[i], .msg_iovlen = 1, .msg_name = &clients[i], .msg_namelen = sizeof clients[i]};
    }
    for (;;) {
        int count = recvmmsg(descriptor, received, BATCH, MSG_WAITFORONE, NULL);
        if (count < 0 && errno != EINTR && errno != ECONNREFUSED) fail("recvmmsg");
        for (int i = 0; i < count; i++) {
            unsigned end = question_end(queries[i], received[i].msg_len);
            if (end > 0) answer(queries[i], end, &clients[i]);
        }
    }
}
