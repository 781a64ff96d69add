// What a process gives up when it stops being root: capabilities(7), seccomp(2). glibc has no functions for that.
#pragma once

#include <errno.h>
#include <linux/audit.h>
#include <linux/capability.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

// This thread keeps its permitted capabilities when the process becomes another user. 0: it will.
static inline int keep_capabilities(void) {
    return prctl(PR_SET_KEEPCAPS, 1, 0, 0, 0);
}

// This thread has no capability from now on, or just that of opening ports below 1024. 0: so it is.
static inline int limit_capabilities(int may_open_ports) {
    struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {{0}};
    if (may_open_ports) data[0].effective = data[0].permitted = 1U << CAP_NET_BIND_SERVICE;
    return (int)syscall(SYS_capset, &header, data);
}

// A process that is neither root nor may become so has no use for these, but an intruder has: other programs, other
// processes' memory, other namespaces, and the parts of the kernel in which most faults are found.
static unsigned const refused_calls[] = {
    SYS_execve, SYS_execveat, SYS_ptrace, SYS_process_vm_readv, SYS_process_vm_writev, SYS_kcmp,
    SYS_unshare, SYS_setns, SYS_chroot, SYS_pivot_root, SYS_mount, SYS_umount2,
    SYS_bpf, SYS_perf_event_open, SYS_userfaultfd, SYS_io_uring_setup, SYS_keyctl, SYS_add_key, SYS_request_key,
    SYS_init_module, SYS_finit_module, SYS_delete_module, SYS_kexec_load, SYS_reboot, SYS_swapon, SYS_swapoff, SYS_acct,
};

enum { refused_call_count = sizeof refused_calls / sizeof refused_calls[0] };

#if defined(__x86_64__)
// Numbers from here on are those of the x32 ABI, under which each call has a second number.
enum { own_architecture = AUDIT_ARCH_X86_64, first_foreign_call = 0x40000000 };
#elif defined(__aarch64__)
enum { own_architecture = AUDIT_ARCH_AARCH64, first_foreign_call = 0x7FFFFFFF };
#else
#error "the system calls of this architecture are not known here"
#endif

// From now on no thread of this process can do any of refused_calls, which fail with EPERM, nor gain privileges by
// executing a file (PR_SET_NO_NEW_PRIVS). Neither can be undone. 0: so it is.
static inline int refuse_calls(void) {
    enum { head = 5, length = head + refused_call_count + 2 };
    struct sock_filter program[length] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, own_architecture, 1, 0),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JGE | BPF_K, first_foreign_call, refused_call_count + 1, 0),
    };
    for (int i = 0; i < refused_call_count; i++) {
        uint8_t to_the_end = (uint8_t)(refused_call_count - i);
        program[head + i] = (struct sock_filter)BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, refused_calls[i], to_the_end, 0);
    }
    program[length - 2] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW);
    program[length - 1] = (struct sock_filter)BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | EPERM);
    struct sock_fprog filter = {.len = length, .filter = program};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0) return -1;
    // For all threads, and no_new_privs with it. A filter is no reason to run slower where the processor speculates.
    unsigned flags = SECCOMP_FILTER_FLAG_TSYNC | SECCOMP_FILTER_FLAG_SPEC_ALLOW;
    long result = syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &filter);
    // The number of a thread that has a filter of its own.
    if (result > 0) errno = EBUSY;
    return result == 0 ? 0 : -1;
}
