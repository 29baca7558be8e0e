/*
 * A process is found by its number. Numbers come back: a pidfd tells of a death before the dead is
 * reaped, hence before its number can be given to another, so deaths are taken in before each call.
 * Threads that do not lead their process are asked for in /proc each time.
 */
#include "process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "journal.h"

#define BUCKETS 4096

static struct process *buckets[BUCKETS];
static int count;
static bool may_share;                    /* folder and mask, with CLONE_FS */
static int most_remembered = INT_MAX / 2; /* descriptors from here on are not kept */
static int deaths = -1;                   /* epoll */
static void (*tell_death)(struct process *);
static pthread_mutex_t table = PTHREAD_MUTEX_INITIALIZER;

bool processes_begin(void (*on_death)(struct process *)) {
    tell_death = on_death;
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0 && limit.rlim_cur < INT_MAX)
        most_remembered = (int)(limit.rlim_cur / 2);
    deaths = epoll_create1(EPOLL_CLOEXEC);
    return deaths >= 0;
}

static struct process **place_of(pid_t pid) {
    struct process **at = &buckets[(unsigned)pid % BUCKETS];
    while (*at && (*at)->pid != pid)
        at = &(*at)->next;
    return at;
}

static void drop(struct process *p) {
    tell_death(p);
    if (p->pidfd >= 0)
        close(p->pidfd);
    if (p->cwd >= 0)
        close(p->cwd);
    free(p->attempt.path);
    pthread_mutex_destroy(&p->lock);
    free(p);
}

static void bury(struct process *p) {
    struct process **at = place_of(p->pid);
    if (*at != p)
        return;
    *at = p->next;
    count--;
    p->dead = true;
    if (p->pidfd >= 0)
        epoll_ctl(deaths, EPOLL_CTL_DEL, p->pidfd, NULL);
    if (!p->references)
        drop(p);
}

static void take_in_deaths(void) {
    struct epoll_event events[64];
    int got;
    do {
        got = epoll_wait(deaths, events, 64, 0);
        for (int i = 0; i < got; i++)
            bury(events[i].data.ptr);
    } while (got == 64);
}

void processes_bury(void) {
    pthread_mutex_lock(&table);
    take_in_deaths();
    pthread_mutex_unlock(&table);
}

void processes_end(void) {
    pthread_mutex_lock(&table);
    for (int i = 0; i < BUCKETS; i++)
        while (buckets[i])
            bury(buckets[i]);
    pthread_mutex_unlock(&table);
}

int processes_count(void) {
    pthread_mutex_lock(&table);
    take_in_deaths();
    int living = count;
    pthread_mutex_unlock(&table);
    return living;
}

/* The start of /proc/PID/stat after the name, which may hold anything: field 3 and on. */
static bool read_stat(pid_t pid, char *to, size_t room, const char **fields) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/stat", (int)pid);
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    ssize_t got = fd < 0 ? -1 : read(fd, to, room - 1);
    if (fd >= 0)
        close(fd);
    if (got <= 0)
        return false;
    to[got] = 0;
    char *end = strrchr(to, ')');
    *fields = end ? end + 1 : NULL;
    return end;
}

static pid_t parent_of(pid_t pid) {
    char text[1024];
    const char *fields;
    int parent = 0;
    if (read_stat(pid, text, sizeof text, &fields))
        sscanf(fields, " %*c %d", &parent);
    return parent;
}

bool process_program(pid_t pid, struct stat *program) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/exe", (int)pid);
    return stat(path, program) == 0;
}

bool process_stack(pid_t pid, uint64_t *start) {
    char text[1024];
    const char *fields;
    if (!read_stat(pid, text, sizeof text, &fields))
        return false;
    /* startstack is field 28 (proc_pid_stat(5)); after the name comes field 3. */
    for (int i = 3; i < 28 && fields; i++)
        fields = strchr(fields + 1, ' ');
    *start = fields ? strtoull(fields, NULL, 10) : 0;
    return fields;
}

static pid_t leader_of(pid_t tid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/status", (int)tid);
    FILE *status = fopen(path, "re");
    char line[256];
    int leader = tid;
    while (status && fgets(line, sizeof line, status))
        if (sscanf(line, "Tgid: %d", &leader) == 1)
            break;
    if (status)
        fclose(status);
    return leader;
}

static void report_fork(pid_t parent, pid_t child) {
    journal_report(&(struct report){
        .kind = ROAR_FORK, .value = (uint64_t)child, .pid = parent, .tid = parent});
}

static bool executes(const struct notice *n) {
    return n->call == CALL_execve || n->call == CALL_execveat;
}

static struct process *add(const struct notice *n, pid_t pid, int pidfd) {
    struct process *p;
    /* Without it nobody would be answered: whoever has the memory lets it go some time. */
    while (!(p = calloc(1, sizeof *p)))
        usleep(1000);
    /* The last quarter is for answering: this one's end will not be seen, so nothing of it is kept.
     */
    if (pidfd >= most_remembered / 2 * 3) {
        close(pidfd);
        pidfd = -1;
    }
    p->pid = pid;
    p->pidfd = pidfd;
    p->cwd = p->umask = -1;
    p->settling = pidfd < 0 || __atomic_load_n(&may_share, __ATOMIC_ACQUIRE) ? -1 : 0;
    pthread_mutex_init(&p->lock, NULL);
    p->parent = parent_of(pid);
    struct process *parent = *place_of(p->parent);
    /* Whoever is not known may have left it a socket, or share its descriptors. */
    p->proves_nothing = pidfd < 0 || (count && (!parent || parent->proves_nothing));
    struct process **at = place_of(pid);
    *at = p;
    count++;
    struct epoll_event event = {.events = EPOLLIN, .data.ptr = p};
    if (pidfd >= 0)
        epoll_ctl(deaths, EPOLL_CTL_ADD, pidfd, &event);
    /* A child that begins by executing will be told of by its START. */
    if (count > 1 && !executes(n))
        report_fork(p->parent, pid);
    return p;
}

static struct process *find(const struct notice *n) {
    pid_t tid = n->tid;
    struct process *p = *place_of(tid);
    if (p)
        return p;
    /* Only a leader has a pidfd without PIDFD_THREAD. */
    int pidfd = (int)syscall(SYS_pidfd_open, tid, 0);
    if (pidfd >= 0)
        return add(n, tid, pidfd);
    pid_t leader = leader_of(tid);
    p = *place_of(leader);
    return p ? p : add(n, leader, (int)syscall(SYS_pidfd_open, leader, 0));
}

struct process *process_enter(const struct notice *n) {
    pthread_mutex_lock(&table);
    take_in_deaths();
    struct process *p = find(n);
    p->references++;
    pthread_mutex_unlock(&table);
    pthread_mutex_lock(&p->lock);
    if (p->settling == n->tid)
        p->settling = 0;
    return p;
}

void process_leave(struct process *p) {
    pthread_mutex_unlock(&p->lock);
    pthread_mutex_lock(&table);
    if (!--p->references && p->dead)
        drop(p);
    pthread_mutex_unlock(&table);
}

bool process_is_wanted(struct process *p) {
    pthread_mutex_lock(&table);
    bool wanted = p->references > 1;
    pthread_mutex_unlock(&table);
    return wanted;
}

void process_pause(struct process *p) {
    pthread_mutex_unlock(&p->lock);
}

void process_resume(struct process *p) {
    pthread_mutex_lock(&p->lock);
}

static void report_children_of(pid_t pid, pid_t tid) {
    char path[64];
    snprintf(path, sizeof path, "/proc/%d/task/%d/children", (int)pid, (int)tid);
    FILE *list = fopen(path, "re");
    int child;
    while (list && fscanf(list, "%d", &child) == 1) {
        pthread_mutex_lock(&table);
        bool known = *place_of(child) != NULL;
        pthread_mutex_unlock(&table);
        if (!known)
            report_fork(pid, child);
    }
    if (list)
        fclose(list);
}

void process_report_children(const struct process *p) {
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)p->pid);
    DIR *threads = opendir(path);
    for (struct dirent *e; threads && (e = readdir(threads));)
        if (e->d_name[0] != '.')
            report_children_of(p->pid, atoi(e->d_name));
    if (threads)
        closedir(threads);
}

static void forget_cwd(struct process *p) {
    if (p->cwd >= 0)
        close(p->cwd);
    p->cwd = -1;
}

void process_unsettle(struct process *p, pid_t tid) {
    p->settling = p->settling && p->settling != tid ? -1 : tid;
    forget_cwd(p);
    p->umask = -1;
    p->standing_known = false;
}

void process_scatter(struct process *p) {
    process_unsettle(p, -1);
}

void processes_may_share(void) {
    __atomic_store_n(&may_share, true, __ATOMIC_RELEASE);
}

bool process_has_threads(pid_t pid) {
    struct stat st;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/task", (int)pid);
    return stat(path, &st) < 0 || st.st_nlink > 3;
}

int process_cwd(struct process *p, pid_t tid, bool *owned) {
    *owned = false;
    if (p->cwd >= 0)
        return p->cwd;
    char path[32];
    snprintf(path, sizeof path, "/proc/%d/cwd", (int)tid);
    int fd = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    /* Remembering is a luxury: half of what we may have open is for what has to be. */
    *owned = p->settling != 0 || fd >= most_remembered;
    if (!*owned)
        p->cwd = fd;
    return fd;
}

int process_umask(struct process *p, pid_t tid) {
    if (p->umask >= 0)
        return p->umask;
    int mask = standing_umask(tid);
    if (!p->settling)
        p->umask = mask;
    return mask;
}

const struct standing *process_standing(struct process *p, pid_t tid) {
    if (!p->standing_known) {
        standing_of(tid, &p->standing);
        p->standing_known = !p->settling;
    }
    return &p->standing;
}
