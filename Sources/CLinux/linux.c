#define _GNU_SOURCE
#include "CLinux.h"

#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <sys/syscall.h>
#include <sys/timex.h>
#include <unistd.h>

#ifndef SO_MEMINFO
#define SO_MEMINFO 55
#endif
#ifndef RENAME_NOREPLACE
#define RENAME_NOREPLACE 1
#endif

const void *linux_memrchr(const void *data, int byte, size_t length) { return memrchr(data, byte, length); }

// Vectors are written out, since no optimiser can be counted on: debug builds compile C without one, and at -O3 clang makes plain loops slower.
typedef uint8_t lanes __attribute__((vector_size(32)));

// Not under the thread sanitizer: it instruments the function that picks a clone, and the loader calls that before the sanitizer is up.
#if defined(__x86_64__) && !(defined(__has_feature) && __has_feature(thread_sanitizer))
__attribute__((target_clones("avx2", "default")))
#endif
size_t linux_count_byte(const void *data, size_t length, uint8_t byte) {
    enum { WIDTH = sizeof(lanes), UNROLLED = 4 * WIDTH };
    const uint8_t *bytes = data;
    const lanes wanted = (lanes){0} + byte;
    size_t total = 0;
    while (length >= UNROLLED) {
        // An equal lane is -1. A lane counts up to 255 rounds before it wraps.
        lanes first = {0}, second = {0}, third = {0}, fourth = {0};
        size_t rounds = length / UNROLLED < 255 ? length / UNROLLED : 255;
        const uint8_t *end = bytes + rounds * UNROLLED;
        for (; bytes < end; bytes += UNROLLED) {
            lanes chunk[4];
            memcpy(chunk, bytes, sizeof chunk);
            first -= (lanes)(chunk[0] == wanted);
            second -= (lanes)(chunk[1] == wanted);
            third -= (lanes)(chunk[2] == wanted);
            fourth -= (lanes)(chunk[3] == wanted);
        }
        length -= rounds * UNROLLED;
        for (size_t i = 0; i < WIDTH; i++) total += (size_t)first[i] + second[i] + third[i] + fourth[i];
    }
    for (size_t i = 0; i < length; i++) total += bytes[i] == byte;
    return total;
}

int linux_rename_exclusive(int from_directory, const char *from, int to_directory, const char *to) {
    return (int)syscall(SYS_renameat2, from_directory, from, to_directory, to, RENAME_NOREPLACE);
}

int linux_is_network_file_system(int fd) {
    struct statfs status;
    if (fstatfs(fd, &status) != 0) return -1;
    switch ((uint32_t)status.f_type) {
        case 0x6969: case 0x517B: case 0xFF534D42: case 0xFE534D42: case 0x01021997: case 0x00C36400: case 0x5346414F: case 0x73757245: case 0x564C: case 0x0BD00BD0:
            return 1;  // NFS, SMB, CIFS, SMB2, 9p, Ceph, AFS, Coda, NCP, Lustre
        default:
            return 0;
    }
}

int linux_clock_is_synchronised(void) {
    struct timex state;
    memset(&state, 0, sizeof state);
    int result = adjtimex(&state);
    return result != -1 && result != TIME_ERROR && !(state.status & STA_UNSYNC);
}

void linux_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int linux_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

int linux_receive_datagrams(int fd, void *buffer, size_t slot_length, linux_datagram *datagrams, int count) {
    enum { MOST = 64 };
    struct mmsghdr messages[MOST];
    struct iovec pieces[MOST];
    struct sockaddr_storage senders[MOST];
    union { char bytes[CMSG_SPACE(sizeof(uint32_t))]; struct cmsghdr aligned; } controls[MOST];
    if (count > MOST) count = MOST;
    for (int i = 0; i < count; i++) {
        pieces[i] = (struct iovec){(char *)buffer + (size_t)i * slot_length, slot_length};
        messages[i] = (struct mmsghdr){.msg_hdr = {.msg_name = &senders[i], .msg_namelen = sizeof senders[i], .msg_iov = &pieces[i], .msg_iovlen = 1,
                                                   .msg_control = controls[i].bytes, .msg_controllen = sizeof controls[i].bytes}};
    }
    int received = recvmmsg(fd, messages, (unsigned)count, MSG_DONTWAIT, NULL);
    for (int i = 0; i < received; i++) {
        linux_datagram *datagram = &datagrams[i];
        memset(datagram, 0, sizeof *datagram);
        datagram->length = messages[i].msg_len;
        datagram->truncated = (messages[i].msg_hdr.msg_flags & MSG_TRUNC) != 0;
        datagram->family = senders[i].ss_family;
        if (senders[i].ss_family == AF_INET) {
            struct sockaddr_in *sender = (struct sockaddr_in *)&senders[i];
            datagram->port = ntohs(sender->sin_port);
            memcpy(datagram->address, &sender->sin_addr, 4);
        } else if (senders[i].ss_family == AF_INET6) {
            struct sockaddr_in6 *sender = (struct sockaddr_in6 *)&senders[i];
            datagram->port = ntohs(sender->sin6_port);
            memcpy(datagram->address, &sender->sin6_addr, 16);
        }
        for (struct cmsghdr *c = CMSG_FIRSTHDR(&messages[i].msg_hdr); c; c = CMSG_NXTHDR(&messages[i].msg_hdr, c)) {
            if (c->cmsg_level == SOL_SOCKET && c->cmsg_type == SO_RXQ_OVFL) {
                datagram->has_drops = 1;
                memcpy(&datagram->drops, CMSG_DATA(c), sizeof datagram->drops);
            }
        }
    }
    return received;
}

int64_t linux_socket_drops(int fd) {
    uint32_t info[16];
    socklen_t length = sizeof info;
    enum { DROPS = 8 };  // SK_MEMINFO_DROPS, <linux/sock_diag.h>
    if (getsockopt(fd, SOL_SOCKET, SO_MEMINFO, info, &length) != 0) return -1;
    if (length < (DROPS + 1) * sizeof info[0]) {
        errno = ENOTSUP;
        return -1;
    }
    return info[DROPS];
}

int64_t linux_set_receive_buffer(int fd, int bytes) {
    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &bytes, sizeof bytes) != 0) setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof bytes);
    int granted = 0;
    socklen_t length = sizeof granted;
    if (getsockopt(fd, SOL_SOCKET, SO_RCVBUF, &granted, &length) != 0) return -1;
    return granted;
}

void linux_bound_malloc(void) {
#ifdef __GLIBC__
    // An arena per thread, the default up to eight a core, keeps what each thread once needed.
    mallopt(M_ARENA_MAX, 2);
    // Buffers of a block's lines or a read chunk are mapped and go back at once: in the heap, between the smaller compressed blocks, they would leave holes of four times what lives.
    // Mapping anew costs a page fault each 4 KiB, a few per cent of what compressing the page costs.
    // Setting either threshold also ends their adjustment upwards (to 32 MiB), after which what was freed would stay.
    mallopt(M_MMAP_THRESHOLD, 192 << 10);
    mallopt(M_TRIM_THRESHOLD, 8 << 20);
#endif
}

void linux_trim_malloc(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}

static int told(int result, const struct stat *status, linux_file_facts *facts) {
    if (result != 0) return -1;
    *facts = (linux_file_facts){
        .device = status->st_dev,
        .inode = status->st_ino,
        .size = status->st_size,
        .mode = status->st_mode,
        .modified = {status->st_mtim.tv_sec, status->st_mtim.tv_nsec},
        .changed = {status->st_ctim.tv_sec, status->st_ctim.tv_nsec},
    };
    return 0;
}

int linux_look_at_path(const char *path, linux_file_facts *facts) {
    struct stat status;
    return told(stat(path, &status), &status, facts);
}

int linux_look_at_file(int fd, linux_file_facts *facts) {
    struct stat status;
    return told(fstat(fd, &status), &status, facts);
}
