#define _GNU_SOURCE
#include "CLinux.h"

#include <string.h>
#include <sys/inotify.h>

int linux_inotify_open(void) { return inotify_init1(IN_NONBLOCK | IN_CLOEXEC); }

int linux_inotify_watch(int fd, const char *directory) {
    uint32_t mask = IN_MODIFY | IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_ONLYDIR;
    return inotify_add_watch(fd, directory, mask);
}

int linux_inotify_unwatch(int fd, int watch) { return inotify_rm_watch(fd, watch); }

int linux_inotify_next(const void *buffer, size_t length, size_t *position, linux_inotify_change *change) {
    struct inotify_event event;
    if (length - *position < sizeof event) return 0;
    const char *start = (const char *)buffer + *position;
    memcpy(&event, start, sizeof event);
    if (length - *position - sizeof event < event.len) return 0;
    *position += sizeof event + event.len;
    memset(change, 0, sizeof *change);
    change->watch = event.wd;
    change->modified = (event.mask & IN_MODIFY) != 0;
    change->names_changed = (event.mask & (IN_ATTRIB | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_DELETE_SELF | IN_MOVE_SELF | IN_UNMOUNT)) != 0;
    change->moved_from = event.mask & IN_MOVED_FROM ? event.cookie : 0;
    change->moved_to = event.mask & IN_MOVED_TO ? event.cookie : 0;
    change->deleted = (event.mask & IN_DELETE) != 0;
    change->overflowed = (event.mask & IN_Q_OVERFLOW) != 0;
    change->ended = (event.mask & IN_IGNORED) != 0;
    change->name = start + sizeof event;
    change->name_length = event.len ? (uint32_t)strnlen(change->name, event.len) : 0;
    return 1;
}
