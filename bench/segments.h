// How programs here have the kernel send several datagrams as one.
#pragma once
#include <linux/udp.h>
#include <netinet/in.h>
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>

/// A place for the control message of `send_in_segments`.
union segment_control {
    struct cmsghdr header;
    uint8_t octets[CMSG_SPACE(sizeof(uint16_t))];
};

/// Has the kernel take what a message holds apart into datagrams of `octets` each (UDP_SEGMENT, udp(7)). `control` is
/// used until the message is sent.
static inline void send_in_segments(struct msghdr *message, union segment_control *control, uint16_t octets) {
    control->header = (struct cmsghdr){CMSG_LEN(sizeof octets), IPPROTO_UDP, UDP_SEGMENT};
    memcpy(CMSG_DATA(&control->header), &octets, sizeof octets);
    message->msg_control = control;
    message->msg_controllen = sizeof *control;
}
