#include "standing.h"

#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define STATUS_ROOM 8192
#define LABEL_ROOM 256
/* CAP_CHOWN … CAP_FSETID, CAP_LINUX_IMMUTABLE, CAP_MKNOD, CAP_MAC_OVERRIDE: capabilities(7), what
 * setfsuid(2) takes away. */
#define FILE_CAPABILITIES 0x10800021full

struct identity {
    unsigned uid, gid;
    unsigned long long capabilities;
    int groups;
    gid_t group[STANDING_GROUPS];
    int umask;
    char label[LABEL_ROOM];
    struct stat user_namespace, mount_namespace, root;
};

static struct identity ours;
static bool unprivileged, may_differ, hidden, umask_may_differ;

/* All of a small file below /proc/PID; the length, 0 when it cannot be read. */
static size_t read_whole(pid_t pid, const char *name, char *to, size_t room) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    size_t length = 0;
    for (ssize_t got = 1; fd >= 0 && got > 0 && length < room - 1; length += (size_t)got) {
        got = read(fd, to + length, room - 1 - length);
        if (got < 0)
            break;
    }
    if (fd >= 0)
        close(fd);
    to[length] = 0;
    return length;
}

static const char *field(const char *status, const char *name) {
    const char *at = strstr(status, name);
    return at ? at + strlen(name) : NULL;
}

/* `Uid:` and `Gid:` list the real, effective, saved and file system's number: proc_pid_status(5).
 */
static bool fourth(const char *status, const char *name, unsigned *number) {
    const char *at = field(status, name);
    return at && sscanf(at, "%*u %*u %*u %u", number) == 1;
}

static bool stat_link(pid_t pid, const char *name, struct stat *st) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/%s", (int)pid, name);
    return stat(path, st) == 0;
}

static bool look_at(pid_t tid, struct identity *who) {
    char status[STATUS_ROOM];
    memset(who, 0, sizeof *who);
    if (!read_whole(tid, "status", status, sizeof status))
        return false;
    const char *capabilities = field(status, "\nCapEff:"), *groups = field(status, "\nGroups:");
    const char *mask = field(status, "\nUmask:");
    if (!fourth(status, "\nUid:", &who->uid) || !fourth(status, "\nGid:", &who->gid) ||
        !capabilities || !groups || !mask)
        return false;
    who->capabilities = strtoull(capabilities, NULL, 16);
    who->umask = (int)strtol(mask, NULL, 8);
    for (char *end; *groups != '\n'; groups = end) {
        unsigned long group = strtoul(groups, &end, 10);
        if (end == groups || who->groups == STANDING_GROUPS)
            break;
        who->group[who->groups++] = (gid_t)group;
        while (*end == ' ')
            end++;
    }
    read_whole(tid, "attr/current", who->label, sizeof who->label);
    return stat_link(tid, "ns/user", &who->user_namespace) &&
           stat_link(tid, "ns/mnt", &who->mount_namespace) && stat_link(tid, "root/", &who->root);
}

static bool same_inode(const struct stat *a, const struct stat *b) {
    return a->st_dev == b->st_dev && a->st_ino == b->st_ino;
}

void standing_begin(bool gave_up_privileges) {
    unprivileged = gave_up_privileges;
    hidden = !look_at(getpid(), &ours);
}

bool standing_is_unprivileged(void) {
    return unprivileged;
}

void standing_may_differ(void) {
    __atomic_store_n(&may_differ, true, __ATOMIC_RELEASE);
}

void standing_is_hidden(void) {
    __atomic_store_n(&hidden, true, __ATOMIC_RELEASE);
}

static bool are_all(const uint64_t *ids, int count, unsigned ours_everywhere) {
    for (int i = 0; i < count; i++)
        if ((uint32_t)ids[i] != ours_everywhere && (uint32_t)ids[i] != UINT32_MAX)
            return false;
    return !__atomic_load_n(&may_differ, __ATOMIC_ACQUIRE);
}

bool standing_has_uids(const uint64_t *ids, int count) {
    uid_t real, effective, saved;
    return getresuid(&real, &effective, &saved) == 0 && real == effective && real == saved &&
           are_all(ids, count, real);
}

bool standing_has_gids(const uint64_t *ids, int count) {
    gid_t real, effective, saved;
    return getresgid(&real, &effective, &saved) == 0 && real == effective && real == saved &&
           are_all(ids, count, real);
}

static bool same_person(const struct identity *who) {
    return who->uid == ours.uid && who->gid == ours.gid && who->capabilities == ours.capabilities &&
           who->groups == ours.groups &&
           !memcmp(who->group, ours.group, (size_t)who->groups * sizeof *who->group);
}

/* setfsuid(2) to another user than root is all there is to be: root without capabilities is not. */
static bool can_be_assumed(const struct identity *who) {
    return ours.uid == 0 && who->uid != 0 && !(who->capabilities & FILE_CAPABILITIES);
}

void standing_of(pid_t tid, struct standing *s) {
    memset(s, 0, offsetof(struct standing, group));
    s->strange = __atomic_load_n(&hidden, __ATOMIC_ACQUIRE);
    if (s->strange || !__atomic_load_n(&may_differ, __ATOMIC_ACQUIRE))
        return;
    struct identity who;
    s->strange = !look_at(tid, &who) || strcmp(who.label, ours.label) ||
                 !same_inode(&who.user_namespace, &ours.user_namespace);
    if (s->strange)
        return;
    s->other_root = !same_inode(&who.root, &ours.root) ||
                    !same_inode(&who.mount_namespace, &ours.mount_namespace);
    s->other_person = !same_person(&who);
    s->strange = s->other_person && !can_be_assumed(&who);
    s->uid = who.uid;
    s->gid = who.gid;
    s->groups = who.groups;
    memcpy(s->group, who.group, sizeof s->group);
}

/* The C library's wrappers change all threads; the calls themselves change the one that asks. */
static bool become(uid_t uid, gid_t gid, int groups, const gid_t *group) {
    return syscall(SYS_setgroups, groups, group) == 0 && syscall(SYS_setfsgid, gid) >= 0 &&
           syscall(SYS_setfsuid, uid) >= 0 && syscall(SYS_setfsuid, -1) == (long)uid;
}

bool standing_assume(const struct standing *s) {
    if (!s->other_person)
        return true;
    if (become(s->uid, s->gid, s->groups, s->group))
        return true;
    standing_resume(s);
    return false;
}

void standing_resume(const struct standing *s) {
    if (!s->other_person)
        return;
    syscall(SYS_setfsuid, ours.uid);
    if (!become(ours.uid, ours.gid, ours.groups, ours.group))
        abort();
}

void standing_umask_may_differ(void) {
    __atomic_store_n(&umask_may_differ, true, __ATOMIC_RELEASE);
}

int standing_umask(pid_t tid) {
    char status[STATUS_ROOM];
    if (!__atomic_load_n(&umask_may_differ, __ATOMIC_ACQUIRE))
        return ours.umask;
    const char *mask =
        read_whole(tid, "status", status, sizeof status) ? field(status, "\nUmask:") : NULL;
    return mask ? (int)strtol(mask, NULL, 8) : -1;
}
