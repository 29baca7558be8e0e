/* reopen TIMES FILES FOLDER: open, read one byte of and close FILES files in turn, TIMES times in
 * all. */
#include "clock.h"

#include <fcntl.h>
#include <unistd.h>

int main(int argc, char **argv) {
    check(argc == 4, "usage: reopen TIMES FILES FOLDER");
    long times = atol(argv[1]), files = atol(argv[2]);
    check(chdir(argv[3]) == 0, argv[3]);
    char (*names)[32] = calloc(files, sizeof *names);
    for (long i = 0; i < files; i++)
        snprintf(names[i], sizeof *names, "%ld.txt", i);

    long long start = now_ns();
    for (long i = 0; i < times; i++) {
        char byte;
        int fd = open(names[i % files], O_RDONLY | O_CLOEXEC);
        check(fd >= 0 && read(fd, &byte, 1) == 1, "open");
        close(fd);
    }
    tell(start);
}
