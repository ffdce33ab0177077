/* Process-wide signal dispositions that children and sockets need; set once, by whoever uses either first. */
#ifndef RECONCILE_SYS_SIGNALS_H
#define RECONCILE_SYS_SIGNALS_H

/*
 * SIGPIPE is ignored: a peer that goes away is an error of that write (libcurl's
 * TLS writes have no MSG_NOSIGNAL). SIGCHLD is at its default: inherited as
 * ignored, the kernel would reap children before we can read their status.
 */
void signals_prepare(void);

#endif
