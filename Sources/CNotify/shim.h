// What the service manager is told: sd_notify(3). Control messages are macros, which Swift can't see.
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

// Descriptors that go with one message at most (unix(7), SCM_MAX_FD is 253).
enum { notification_descriptors = 64 };

// Sends a text, and up to notification_descriptors descriptors, as one datagram to a socket of the file system, or an
// abstract one, whose name begins with '@'. 0: it is sent.
static inline int send_notification(
    char const *path, char const *text, size_t length, int const *descriptors, size_t count) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    size_t path_length = strlen(path);
    if (path_length < 2 || path_length >= sizeof address.sun_path || count > notification_descriptors) return -1;
    memcpy(address.sun_path, path, path_length);
    if (path[0] == '@') address.sun_path[0] = 0;

    struct iovec part = {.iov_base = (void *)text, .iov_len = length};
    union {
        char octets[CMSG_SPACE(sizeof(int) * notification_descriptors)];
        struct cmsghdr alignment;
    } control;
    memset(&control, 0, sizeof control);
    struct msghdr message = {
        .msg_name = &address,
        .msg_namelen = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path_length),
        .msg_iov = &part,
        .msg_iovlen = 1,
    };
    if (count > 0) {
        message.msg_control = control.octets;
        message.msg_controllen = CMSG_SPACE(sizeof(int) * count);
        struct cmsghdr *header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof(int) * count);
        memcpy(CMSG_DATA(header), descriptors, sizeof(int) * count);
    }
    int descriptor = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (descriptor < 0) return -1;
    // Whoever does not read must not hold us.
    ssize_t sent = sendmsg(descriptor, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(descriptor);
    return sent == (ssize_t)length ? 0 : -1;
}

// Waits until all that was sent before has been dealt with: BARRIER=1, sd_notify_barrier(3). 0: it has.
static inline int await_notifications(char const *path, int milliseconds) {
    int ends[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) != 0) return -1;
    struct timeval limit = {.tv_sec = milliseconds / 1000, .tv_usec = milliseconds % 1000 * 1000};
    char const text[] = "BARRIER=1";
    char octet;
    int result = setsockopt(ends[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit);
    if (result == 0) result = send_notification(path, text, sizeof text - 1, &ends[1], 1);
    close(ends[1]);
    // The other end is closed when it has been read; one who knows no barriers closes it as well.
    if (result == 0 && recv(ends[0], &octet, 1, 0) != 0) result = -1;
    close(ends[0]);
    return result;
}

// MONOTONIC_USEC, which goes with RELOADING=1.
static inline int64_t notification_microseconds(void) {
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}
