/* forks TIMES: fork, execute /bin/true and wait, TIMES times. */
#include "clock.h"

#include <sys/wait.h>
#include <unistd.h>

int main(int argc, char **argv) {
    check(argc == 2, "usage: forks TIMES");
    long times = atol(argv[1]);
    long long start = now_ns();
    for (long i = 0; i < times; i++) {
        pid_t child = fork();
        check(child >= 0, "fork");
        if (child == 0) {
            execl("/bin/true", "true", (char *)NULL);
            _exit(127);
        }
        int status;
        check(waitpid(child, &status, 0) == child && status == 0, "/bin/true");
    }
    tell(start);
}
