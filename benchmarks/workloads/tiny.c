/* tiny TIMES FILE: write TIMES single bytes. */
#include "clock.h"

#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    check(argc == 3, "usage: tiny TIMES FILE");
    long times = atol(argv[1]);
    long long start = now_ns();
    int fd = open(argv[2], O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
    check(fd >= 0, argv[2]);
    for (long i = 0; i < times; i++)
        check(write(fd, "x", 1) == 1, "write");
    close(fd);
    tell(start);
}
