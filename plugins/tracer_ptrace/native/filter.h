/* The seccomp filter: which system calls stop and ask the helper. */
#ifndef ROAR_PTRACE_FILTER_H
#define ROAR_PTRACE_FILTER_H

#include <linux/filter.h>
#include <stdbool.h>
#include <stddef.h>

#include "calls.h"

#define FILTER_MAX 512

/* Build the filter for the ABIs of this machine; returns its length, at most FILTER_MAX. */
size_t filter_build(struct sock_filter out[FILTER_MAX]);

/*
 * Install it on this thread; returns the listener, or a negative errno. `gave_up_privileges` says
 * whether no_new_privs had to be set: without CAP_SYS_ADMIN there is no filter without it
 * (seccomp(2)).
 */
int filter_install(bool *gave_up_privileges);

#endif
