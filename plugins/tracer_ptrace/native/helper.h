/* The helper: a process of its own that answers the calls of one tree until the tree has ended. */
#ifndef ROAR_PTRACE_HELPER_H
#define ROAR_PTRACE_HELPER_H

/* What the starter writes and reads over the socket to its helper, one byte each. */
#define HELPER_PREPARED 'P'  /* helper: everything is ready but the listener */
#define HELPER_LISTENING 'L' /* helper: the listener was received and is listened to */

/*
 * Serve until everybody has ended; never returns. `starter` is the socket over which the listener
 * comes (SCM_RIGHTS, its byte 'u' when no_new_privs was set); `control` is roar's, or -1.
 */
_Noreturn void helper_main(int starter, int control);

#endif
