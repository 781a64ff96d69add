#pragma once
// Without _GNU_SOURCE, like Glibc's Swift module: with it the two would disagree on fd_set. What glibc declares only
// under _GNU_SOURCE and is needed here is declared below.
#include <arpa/inet.h>
#include <errno.h>
#include <event2/buffer.h>
#include <event2/bufferevent.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/random.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// <bits/socket.h>: several datagrams in one call.
struct mmsghdr {
    struct msghdr msg_hdr;
    unsigned int msg_len;
};
struct timespec;
extern int recvmmsg(int, struct mmsghdr *, unsigned int, int, struct timespec *);
extern int sendmmsg(int, struct mmsghdr *, unsigned int, int);

// <sys/socket.h>.
extern int accept4(int, struct sockaddr *, socklen_t *, int);

// <bits/in.h>: what IPV6_PKTINFO tells.
struct in6_pktinfo {
    struct in6_addr ipi6_addr;
    unsigned int ipi6_ifindex;
};

// <pthread.h>.
extern int pthread_setname_np(pthread_t, const char *);

// <linux/sched/types.h>: its first version; the kernel takes the size from the first field.
struct scheduling_attributes {
    uint32_t size, policy;
    uint64_t flags;
    int32_t nice;
    uint32_t priority;
    uint64_t runtime, deadline, period;
};

// Seconds since 1970, modulo 2^32.
static inline uint32_t wall_seconds(void) {
    return (uint32_t)time(NULL);
}

// Asks for the processor in turns of `nanoseconds` for this thread, and leaves all else as it is. Linux 6.12 and later
// then let it run at once when it wakes on a core on which a thread with longer turns runs. An older kernel ignores it.
// Threads with a real-time policy are left alone.
static inline void shorten_turns(uint64_t nanoseconds) {
    struct scheduling_attributes attributes;
    if (syscall(SYS_sched_getattr, 0, &attributes, sizeof attributes, 0) != 0 || attributes.policy != 0) return;
    attributes.runtime = nanoseconds;
    syscall(SYS_sched_setattr, 0, &attributes, 0);
}

// errno is a macro.
static inline int last_error(void) { return errno; }

// CMSG_* are macros. In a received control message with the address that was asked (IP_PKTINFO, IPV6_PKTINFO), clears
// the interface, so that the answer leaves by the route to the client, from that address. A link-local address keeps
// its interface: without it there is no route.
static inline void answer_from_asked_address(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo *info = (struct in_pktinfo *)CMSG_DATA(c);
            info->ipi_spec_dst = info->ipi_addr;
            info->ipi_ifindex = 0;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo *info = (struct in6_pktinfo *)CMSG_DATA(c);
            if (!IN6_IS_ADDR_LINKLOCAL(&info->ipi6_addr)) info->ipi6_ifindex = 0;
        }
    }
}

// Whether a received control message (IP_PKTINFO, IPV6_PKTINFO) says that the message was sent to its sender's address.
static inline int was_sent_to_its_sender(struct msghdr *message) {
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            const struct sockaddr_in *sender = (const struct sockaddr_in *)message->msg_name;
            const struct in_pktinfo *info = (const struct in_pktinfo *)CMSG_DATA(c);
            return info->ipi_addr.s_addr == sender->sin_addr.s_addr;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            const struct sockaddr_in6 *sender = (const struct sockaddr_in6 *)message->msg_name;
            const struct in6_pktinfo *info = (const struct in6_pktinfo *)CMSG_DATA(c);
            return IN6_ARE_ADDR_EQUAL(&info->ipi6_addr, &sender->sin6_addr);
        }
    }
    return 0;
}

// <linux/udp.h>.
#ifndef UDP_SEGMENT
#define UDP_SEGMENT 103
#endif

// Whether the kernel knows UDP_SEGMENT (Linux 4.18): an older one would send what a message holds as one datagram.
static inline int knows_segments(void) {
    int octets = 0, descriptor = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    socklen_t length = sizeof octets;
    if (descriptor < 0) return 0;
    int result = getsockopt(descriptor, IPPROTO_UDP, UDP_SEGMENT, &octets, &length);
    close(descriptor);
    return result == 0;
}

// Has the kernel take what a message holds apart into datagrams of `octets` each (udp(7)). The control message that it
// has is copied to `control`, which has room for it and CMSG_SPACE(sizeof(uint16_t)) more.
static inline void send_in_segments(struct msghdr *message, void *control, uint16_t octets) {
    size_t used = CMSG_ALIGN(message->msg_controllen);
    if (message->msg_controllen > 0) memcpy(control, message->msg_control, message->msg_controllen);
    struct cmsghdr *segment = (struct cmsghdr *)((char *)control + used);
    segment->cmsg_level = IPPROTO_UDP;
    segment->cmsg_type = UDP_SEGMENT;
    segment->cmsg_len = CMSG_LEN(sizeof octets);
    memcpy(CMSG_DATA(segment), &octets, sizeof octets);
    message->msg_control = control;
    message->msg_controllen = used + CMSG_SPACE(sizeof octets);
}

// A timer without struct timeval, which both this module and CLdns would say is theirs.
static inline int event_add_after(struct event *event, int64_t microseconds) {
    struct timeval interval = {microseconds / 1000000, microseconds % 1000000};
    return event_add(event, &interval);
}

// In one number, without a C structure to take apart in Swift.
static inline int64_t monotonic_nanoseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec;
}

// A compiler builtin. Reads nothing: any address is allowed.
static inline void prefetch_line(const void *address) { __builtin_prefetch(address); }
