/*
 * One thread answers. Making a call in a caller's place can take as long as the file system likes,
 * and a file system may itself be a process of the tree (FUSE) that waits for us: so when an answer
 * takes long, another thread takes over, and the late one leaves when it is done.
 *
 * The helper outlives roar, and everything else but the tree: were it to end first, every call that
 * the filter sends to it would fail with ENOSYS.
 */
#include "helper.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "answer.h"
#include "journal.h"
#include "notice.h"
#include "paths.h"
#include "standing.h"

#define WORKERS 512
#define STACK (256u << 10)
/* How often the watcher looks while there are calls, and while there are none; how long an answer
 * may take before another worker is added. */
#define TICK_MS 20
#define IDLE_TICK_MS 250
#define LATE_NS 20000000u
/* How long a flush waits for answers that are under way to the dead. */
#define FLUSH_NS 200000000u

static int listener = -1;
/* When each worker took up what it is at; 0: it waits for a call; ABSENT: there is none. */
#define ABSENT UINT64_MAX
static uint64_t since[WORKERS];
static uint32_t answered; /* calls, ever */
/* Held until there is something to listen to. */
static pthread_mutex_t begin = PTHREAD_MUTEX_INITIALIZER;

static bool somebody_waits(int but) {
    for (int i = 0; i < WORKERS; i++)
        if (i != but && __atomic_load_n(&since[i], __ATOMIC_ACQUIRE) == 0)
            return true;
    return false;
}

static void *work(void *number) {
    int me = (int)(intptr_t)number;
    struct notice n;
    /* A thread's own file creation mask: unshare(2). */
    unshare(CLONE_FS);
    pthread_mutex_lock(&begin);
    pthread_mutex_unlock(&begin);
    while (notice_receive(listener, &n)) {
        __atomic_store_n(&since[me], now_ns(), __ATOMIC_RELEASE);
        __atomic_fetch_add(&answered, 1, __ATOMIC_RELAXED);
        answer(&n);
        if (me && somebody_waits(me))
            break;
        __atomic_store_n(&since[me], 0, __ATOMIC_RELEASE);
    }
    path_scratch_free();
    __atomic_store_n(&since[me], ABSENT, __ATOMIC_RELEASE);
    return NULL;
}

static bool add_worker(int number) {
    pthread_attr_t attributes;
    pthread_t thread;
    pthread_attr_init(&attributes);
    pthread_attr_setstacksize(&attributes, STACK);
    pthread_attr_setdetachstate(&attributes, PTHREAD_CREATE_DETACHED);
    __atomic_store_n(&since[number], 0, __ATOMIC_RELEASE);
    int failed = pthread_create(&thread, &attributes, work, (void *)(intptr_t)number);
    pthread_attr_destroy(&attributes);
    if (failed)
        __atomic_store_n(&since[number], ABSENT, __ATOMIC_RELEASE);
    return !failed;
}

/* When everybody is busy and somebody for long, the next caller needs another worker. */
static void relieve_the_late(void) {
    uint64_t now = now_ns(), oldest = now;
    int room = -1;
    for (int i = 0; i < WORKERS; i++) {
        uint64_t began = __atomic_load_n(&since[i], __ATOMIC_ACQUIRE);
        if (began == 0)
            return;
        if (began == ABSENT)
            room = room < 0 ? i : room;
        else if (began < oldest)
            oldest = began;
    }
    if (room >= 0 && now - oldest > LATE_NS)
        add_worker(room);
}

static void nap(void) {
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Until what was being answered when we were asked has been. */
static void wait_for_answers(void) {
    uint64_t asked = now_ns();
    for (int i = 0; i < WORKERS; i++)
        for (;;) {
            uint64_t began = __atomic_load_n(&since[i], __ATOMIC_ACQUIRE);
            if (began == 0 || began == ABSENT || began > asked || now_ns() - asked > FLUSH_NS)
                break;
            nap();
        }
}

/*
 * roar asks whether all is written, and whether somebody is left of whom it cannot know: whoever
 * has made a call was reported as forked. Whoever is about to end gives its number, to be reaped.
 */
static bool serve_roar(int control, bool over) {
    char question;
    if (recv(control, &question, 1, MSG_DONTWAIT) <= 0)
        return false;
    wait_for_answers();
    int32_t answer[2] = {over ? (int32_t)getpid() : 0, !over && !processes_count()};
    if (over)
        processes_end();
    return send(control, answer, sizeof answer, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof answer;
}

_Noreturn static void watch(int control) {
    uint32_t before = 0;
    for (;;) {
        uint32_t now = __atomic_load_n(&answered, __ATOMIC_RELAXED);
        int tick = now == before ? IDLE_TICK_MS : TICK_MS;
        before = now;
        struct pollfd on[2] = {{control, POLLIN, 0}, {listener, 0, 0}};
        poll(on, 2, tick);
        bool over = notice_is_over(listener);
        if (on[0].revents && !serve_roar(control, over)) {
            close(control);
            control = -1;
        }
        if (over) {
            wait_for_answers();
            processes_end();
            /* roar may still ask. */
            if (control < 0)
                _exit(0);
            poll(&(struct pollfd){control, POLLIN, 0}, 1, -1);
            continue;
        }
        processes_bury();
        relieve_the_late();
    }
}

static bool receive_listener(int socket, bool *unprivileged) {
    char byte = 0;
    union {
        char room[CMSG_SPACE(sizeof(int))];
        struct cmsghdr head;
    } control;
    struct iovec data = {&byte, 1};
    struct msghdr message = {
        .msg_iov = &data,
        .msg_iovlen = 1,
        .msg_control = &control,
        .msg_controllen = sizeof control,
    };
    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC) != 1)
        return false;
    struct cmsghdr *head = CMSG_FIRSTHDR(&message);
    if (!head || head->cmsg_type != SCM_RIGHTS)
        return false;
    memcpy(&listener, CMSG_DATA(head), sizeof listener);
    *unprivileged = byte == 'u';
    return true;
}

/* Keep nothing of the user's: whoever reads their pipes waits until the last holder lets go. */
static void let_go(int starter, int control) {
    int null = open("/dev/null", O_RDWR);
    for (int fd = 0; fd < 3; fd++)
        if (fd != starter && fd != control && null >= 0)
            dup2(null, fd);
    unsigned first = 3;
    unsigned kept[2] = {(unsigned)(starter < control ? starter : control),
                        (unsigned)(starter < control ? control : starter)};
    for (int i = 0; i < 2; i++) {
        if (kept[i] == (unsigned)-1 || kept[i] < first)
            continue;
        if (kept[i] > first)
            close_range(first, kept[i] - 1, 0);
        first = kept[i] + 1;
    }
    close_range(first, ~0u, 0);
    if (chdir("/") < 0)
        _exit(1);
}

static void prepare(void) {
    static const int ignored[] = {SIGHUP,  SIGINT,  SIGQUIT, SIGTERM, SIGTSTP, SIGTTIN, SIGTTOU,
                                  SIGPIPE, SIGUSR1, SIGUSR2, SIGALRM, SIGXCPU, SIGXFSZ};
    struct rlimit limit;
    sigset_t none;
    setsid();
    for (size_t i = 0; i < sizeof ignored / sizeof *ignored; i++)
        signal(ignored[i], SIG_IGN);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    /* Two descriptors for each process of the tree: root may have as many as the kernel allows. */
    unsigned most = 0;
    FILE *file = fopen("/proc/sys/fs/nr_open", "re");
    if (file && fscanf(file, "%u", &most) == 1)
        setrlimit(RLIMIT_NOFILE, &(struct rlimit){most, most});
    if (file)
        fclose(file);
    static const int raised[] = {RLIMIT_NOFILE, RLIMIT_AS, RLIMIT_CPU, RLIMIT_FSIZE};
    for (size_t i = 0; i < sizeof raised / sizeof *raised; i++)
        if (getrlimit(raised[i], &limit) == 0) {
            limit.rlim_cur = limit.rlim_max;
            setrlimit(raised[i], &limit);
        }
    /* A call that waits to be received is interrupted by any signal that is handled, with EINTR
     * where that can never be. Where we may, we come first: then that time is as short as can be.
     */
    setpriority(PRIO_PROCESS, 0, -20);
    prctl(PR_SET_NAME, "roar-ptrace");
}

_Noreturn void helper_main(int starter, int control) {
    bool unprivileged = false;
    prepare();
    let_go(starter, control);
    for (int i = 0; i < WORKERS; i++)
        since[i] = ABSENT;
    /* While there is no filter yet a thread may be refused (RLIMIT_NPROC): later nobody would
     * answer. */
    pthread_mutex_lock(&begin);
    if (!processes_begin(answer_death) || !add_worker(0) ||
        write(starter, &(char){HELPER_PREPARED}, 1) != 1 ||
        !receive_listener(starter, &unprivileged))
        _exit(0);
    standing_begin(unprivileged);
    notice_prefer_one_processor(listener);
    pthread_mutex_unlock(&begin);
    if (write(starter, &(char){HELPER_LISTENING}, 1) != 1) {
        /* The starter died in between; whoever else has the filter is served all the same. */
    }
    close(starter);
    watch(control);
}
