/* files COUNT OUT: write COUNT distinct files of 4 KiB to OUT, then read each of them. */
#include "clock.h"

#include <fcntl.h>
#include <string.h>
#include <unistd.h>

static char block[4096], name[4096];

static int open_file(const char *folder, long number, int flags) {
    snprintf(name, sizeof name, "%s/%ld.txt", folder, number);
    int fd = open(name, flags | O_CLOEXEC, 0644);
    check(fd >= 0, name);
    return fd;
}

int main(int argc, char **argv) {
    check(argc == 3, "usage: files COUNT OUT");
    long count = atol(argv[1]);
    long long start = now_ns();
    for (long i = 0; i < count; i++) {
        /* No two files alike, in no two rounds: every one is hashed afresh. */
        memcpy(block, &start, sizeof start);
        memcpy(block + sizeof start, &i, sizeof i);
        int fd = open_file(argv[2], i, O_WRONLY | O_CREAT | O_TRUNC);
        check(write(fd, block, sizeof block) == sizeof block, name);
        close(fd);
    }
    for (long i = 0; i < count; i++) {
        int fd = open_file(argv[2], i, O_RDONLY);
        check(read(fd, block, sizeof block) == sizeof block, name);
        close(fd);
    }
    tell(start);
}
