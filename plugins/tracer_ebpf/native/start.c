/*
 * roar-ebpf-start: registers itself with the collector, then becomes the command.
 *
 *     roar-ebpf-start SOCKET JOURNAL RUN_UID VERSION PROGRAM ARGV0 [ARGUMENT ...]
 *
 * The process that will be the command must be under observation before its first instruction, and
 * must stay roar's own child: so this program asks to be observed itself and executes the command
 * in its place. Whatever goes wrong before that, the command runs all the same; roar learns from
 * the collector that it was not observed. Descriptors of ours are closed by the exec at the latest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#define REQUEST_MAX (256 << 10)
#define DESCRIPTORS_MAX 4096
/* A collector that has not answered by then is not worth the command's time. */
#define PATIENCE_S 2

static char request[REQUEST_MAX];

/* Write what descriptor `fd` is, if it is a regular file that the command will find open. */
static size_t describe(int fd, char *to, size_t room) {
    struct stat s;
    int close_flags = fcntl(fd, F_GETFD), flags = fcntl(fd, F_GETFL);
    if (close_flags < 0 || close_flags & FD_CLOEXEC || flags < 0 || flags & O_PATH)
        return 0;
    if (fstat(fd, &s) || !S_ISREG(s.st_mode))
        return 0;
    char link[64], path[PATH_MAX];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = readlink(link, path, sizeof path - 1);
    if (length <= 0 || path[0] != '/')
        return 0;
    path[length] = 0;
    static const char deleted[] = " (deleted)";
    size_t end = sizeof deleted - 1;
    if (s.st_nlink == 0 && (size_t)length > end && !strcmp(path + length - end, deleted))
        path[length - end] = 0;
    int written = snprintf(to, room, "%d %llu %llu %llu %lld %lld %u %lu %s", flags,
                           (unsigned long long)s.st_dev, (unsigned long long)s.st_ino,
                           (unsigned long long)s.st_size,
                           (long long)s.st_mtim.tv_sec * 1000000000 + s.st_mtim.tv_nsec,
                           (long long)s.st_ctim.tv_sec * 1000000000 + s.st_ctim.tv_nsec, s.st_mode,
                           (unsigned long)s.st_nlink, path);
    return written > 0 && (size_t)written < room ? written + 1 : 0;
}

static int send_request(int peer, int journal, size_t size) {
    char room[CMSG_SPACE(sizeof(int))] = {0};
    struct iovec content = {request, size};
    struct msghdr message = {
        .msg_iov = &content, .msg_iovlen = 1, .msg_control = room, .msg_controllen = sizeof room};
    struct cmsghdr *attached = CMSG_FIRSTHDR(&message);
    attached->cmsg_level = SOL_SOCKET;
    attached->cmsg_type = SCM_RIGHTS;
    attached->cmsg_len = CMSG_LEN(sizeof(int));
    memcpy(CMSG_DATA(attached), &journal, sizeof journal);
    return sendmsg(peer, &message, MSG_NOSIGNAL) == (ssize_t)size ? 0 : -1;
}

/* Above the descriptors that the command may have been given, and never one of the first three. */
static int out_of_the_way(int fd) {
    if (fd < 0 || fd > 2)
        return fd;
    int moved = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    close(fd);
    return moved;
}

static void ask_to_be_observed(const char *socket_path, const char *journal_path, const char *run,
                               const char *version) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof address.sun_path)
        return;
    strcpy(address.sun_path, socket_path);
    int size = snprintf(request, sizeof request, "roar-ebpf %s run %s", version, run) + 1;
    size_t end = size;
    for (int fd = 0; fd < DESCRIPTORS_MAX; fd++)
        end += describe(fd, request + end, sizeof request - end);
    int peer = out_of_the_way(socket(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0));
    int journal = out_of_the_way(open(journal_path, O_RDWR | O_CLOEXEC | O_NOFOLLOW));
    struct timeval patience = {PATIENCE_S, 0};
    struct ucred who;
    socklen_t who_size = sizeof who;
    char answer[256];
    if (peer >= 0 && journal >= 0) {
        setsockopt(peer, SOL_SOCKET, SO_RCVTIMEO, &patience, sizeof patience);
        setsockopt(peer, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
        int wanted = REQUEST_MAX * 2;
        setsockopt(peer, SOL_SOCKET, SO_SNDBUF, &wanted, sizeof wanted);
        /* Only a collector of root's is told anything. */
        if (!connect(peer, (struct sockaddr *)&address, sizeof address) &&
            !getsockopt(peer, SOL_SOCKET, SO_PEERCRED, &who, &who_size) && who.uid == 0 &&
            !send_request(peer, journal, end))
            while (recv(peer, answer, sizeof answer, 0) < 0 && errno == EINTR)
                ;
    }
    if (peer >= 0)
        close(peer);
    if (journal >= 0)
        close(journal);
}

int main(int argc, char **argv) {
    if (argc < 7) {
        fprintf(stderr, "roar-ebpf-start is a part of roar: use roar run --tracer ebpf\n");
        return 125;
    }
    ask_to_be_observed(argv[1], argv[2], argv[3], argv[4]);
    char *program = argv[5], **arguments = argv + 6;
    execv(program, arguments);
    int why = errno;
    if (why == ENOEXEC) {
        /* A script without #!: execvp(3) and every shell hand it to sh. */
        char **for_shell = calloc(argc, sizeof *for_shell);
        if (for_shell) {
            for_shell[0] = "sh";
            for_shell[1] = program;
            for (int i = 1; arguments[i]; i++)
                for_shell[i + 1] = arguments[i];
            execv("/bin/sh", for_shell);
            why = errno;
        }
    }
    int is_missing = why == ENOENT || why == ENOTDIR;
    fprintf(stderr, "roar: %s cannot be executed: %s\n", arguments[0],
            is_missing ? "its interpreter does not exist" : strerror(why));
    return is_missing ? 127 : 126;
}
