// Linux calls that `import Glibc` doesn't show: a thin C skin each, no policy.
#ifndef C_LINUX_H
#define C_LINUX_H

#include <stddef.h>
#include <stdint.h>

/// The last `byte` in `data`, or NULL (`man 3 memrchr`).
const void *linux_memrchr(const void *data, int byte, size_t length);
/// How many bytes equal `byte`.
size_t linux_count_byte(const void *data, size_t length, uint8_t byte);
/// Renames only if `to` doesn't exist (`man 2 renameat2`, RENAME_NOREPLACE). 0, or -1 with errno.
int linux_rename_exclusive(int from_directory, const char *from, int to_directory, const char *to);
/// 1 when the path lies on a network file system (NFS, SMB, CIFS, 9p, Ceph, …), 0 when not, -1 with errno.
int linux_is_network_file_system(int fd);
/// 1 when the kernel says that the clock is synchronised (`man 2 adjtimex`).
int linux_clock_is_synchronised(void);

/// What the kernel says of a file (`man 2 stat`), in plain numbers: which Swift module owns `struct stat` depends on what else a file imports.
typedef struct {
    uint64_t device, inode;
    int64_t size;
    uint32_t mode;
    int64_t modified[2], changed[2]; // seconds, nanoseconds
} linux_file_facts;
/// Of what stands at `path`, links followed. 0, or -1 with errno.
int linux_look_at_path(const char *path, linux_file_facts *facts);
/// Of an open file. 0, or -1 with errno.
int linux_look_at_file(int fd, linux_file_facts *facts);

/// Names the calling thread, at most 15 bytes, for `top -H` and debuggers.
void linux_name_thread(const char *name);
/// A new eventfd, non-blocking and close-on-exec, or -1 with errno.
int linux_eventfd(void);

/// One received datagram: where it stands in the caller's buffer, its sender, and the kernel's drop count told with it (`man 7 socket`, SO_RXQ_OVFL).
typedef struct {
    uint32_t length;
    uint32_t truncated;
    uint32_t has_drops;
    uint32_t drops;
    uint16_t family;       // AF_INET or AF_INET6
    uint16_t port;         // host order
    uint8_t address[16];
} linux_datagram;
/// Receives up to `count` (at most 64) datagrams into slots of `slot_length` bytes from `buffer` on (`man 2 recvmmsg`, MSG_DONTWAIT).
/// Returns how many, or -1 with errno.
int linux_receive_datagrams(int fd, void *buffer, size_t slot_length, linux_datagram *datagrams, int count);
/// The kernel's count of datagrams dropped at this socket so far (`SO_MEMINFO`), or -1 with errno.
int64_t linux_socket_drops(int fd);
/// Asks for a receive buffer, first past the system's limit (SO_RCVBUFFORCE), then within it. Returns the bytes that the kernel granted (its own count, twice the request), or -1.
int64_t linux_set_receive_buffer(int fd, int bytes);

/// One change that inotify told of (`man 7 inotify`).
typedef struct {
    int32_t watch;          // -1 for an overflow
    uint32_t modified;      // bytes of the file `name` changed
    uint32_t names_changed; // a name came, went or changed its rights
    uint32_t moved_from;    // `name` was renamed; the event with this number in `moved_to` has the new name, if that is watched
    uint32_t moved_to;      // see moved_from
    uint32_t deleted;       // `name` was deleted
    uint32_t overflowed;    // the kernel's queue was full: anything may have changed
    uint32_t ended;         // the watch is no more (its directory went, or it was removed)
    uint32_t name_length;
    const char *name;       // within the buffer, not terminated; length 0 for the directory itself
} linux_inotify_change;
/// A new inotify instance, non-blocking and close-on-exec, or -1 with errno.
int linux_inotify_open(void);
/// Watches a directory's files and names. The watch's number, or -1 with errno.
int linux_inotify_watch(int fd, const char *directory);
/// Ends a watch. 0, or -1 with errno.
int linux_inotify_unwatch(int fd, int watch);
/// Decodes the event at `*position` of `length` bytes that `read` gave and moves on. 1, or 0 at the end.
int linux_inotify_next(const void *buffer, size_t length, size_t *position, linux_inotify_change *change);
/// Sets glibc's allocator up for a process that moves large buffers between threads for ever: few arenas, and memory that is free goes back to the kernel (`man 3 mallopt`).
void linux_bound_malloc(void);
/// Gives free memory of all arenas back to the kernel now (`man 3 malloc_trim`).
void linux_trim_malloc(void);

#endif
