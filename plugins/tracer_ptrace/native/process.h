/* The processes of the tree, as their calls make them known. */
#ifndef ROAR_PTRACE_PROCESS_H
#define ROAR_PTRACE_PROCESS_H

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

#include "notice.h"
#include "standing.h"

#define PROOFS 16

/* An opening for reading that may turn out never to have been used: proof.h. */
struct proof {
    uint64_t open_ref;
    struct stat st;
};

/* A program about to run: programs.h. */
struct attempt {
    bool pending;
    pid_t tid;          /* who called execve */
    struct stat before; /* the program that it was */
    bool by_stack;      /* that program may be the next one too: the stack tells them apart */
    uint64_t stack;     /* where its stack began */
    struct stat program;
    char *path;
};

struct process {
    struct process *next;
    pid_t pid, parent;
    int pidfd; /* -1: none could be had */
    int references;
    bool dead;
    pthread_mutex_t lock;

    /* One thread is changing the folder, mask or identity: nothing may be remembered until its next
     * call says that it has. -1: several at once. */
    pid_t settling;
    int cwd;   /* O_PATH, -1: not looked up */
    int umask; /* -1: not looked up */
    bool standing_known;
    struct standing standing;

    bool has_forked;
    bool told_unreadable;
    bool proves_nothing; /* others may read what it opened */
    int proofs;
    uint64_t reads_before; /* reading calls when the oldest of them began */
    struct proof proof[PROOFS];
    struct attempt attempt;
};

/* Set up; `on_death` is called for each process that ended, before its number can come back. */
bool processes_begin(void (*on_death)(struct process *));

/* The caller's process, locked and ours until `process_leave`. */
struct process *process_enter(const struct notice *n);
void process_leave(struct process *p);

/* Whether another of its calls waits for us to leave it. */
bool process_is_wanted(struct process *p);

/*
 * Let the process's other threads be answered while a call of ours waits, and go on. In between
 * nothing of `p` may be used, nor a folder that is not ours.
 */
void process_pause(struct process *p);
void process_resume(struct process *p);

/* Take note of who has ended. */
void processes_bury(void);

/* Everybody has ended: bury them all. */
void processes_end(void);

/* How many are known to live. */
int processes_count(void);

/* Report children of a process that ends, which have made no call yet. */
void process_report_children(const struct process *p);

/* What was remembered of folder, mask and identity is about to change by a call of thread `tid`. */
void process_unsettle(struct process *p, pid_t tid);

/* Its threads may stand differently by now, or it shares its folder with another process: whatever
 * is asked for has to be looked up each time. */
void process_scatter(struct process *p);

/* From now on new processes may share a folder with others. */
void processes_may_share(void);

/* Whether it has more than one thread. */
bool process_has_threads(pid_t pid);

/* Where it is: an O_PATH descriptor. `*owned`: to be closed by the caller. -1: it cannot be had. */
int process_cwd(struct process *p, pid_t tid, bool *owned);
int process_umask(struct process *p, pid_t tid);
const struct standing *process_standing(struct process *p, pid_t tid);

/* The file of the program that runs, and where its stack begins; false when they cannot be seen. */
bool process_program(pid_t pid, struct stat *program);
bool process_stack(pid_t pid, uint64_t *start);

#endif
