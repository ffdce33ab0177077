/*
 * The conversation with reconcile-source, on its stdin and stdout. One request
 * at a time: a line, then `size` bytes of argument.
 *
 *   open  0 <size>\n<path>      a repository that is there (a work tree or bare)
 *   cache 0 <size>\n<path>      the cache's bare repository, made when it is missing
 *   fetch <head> <size>\n<url>  into the cache: all branches and tags; head 1: what HEAD is, too
 *   resolve 0 <size>\n<ref>     to a commit, which later reads are from; empty: HEAD
 *   read <max> <size>\n<path>   a file of that commit, at most max bytes
 *
 * Replies: "ok <size>\n<bytes>", or "err <code> <size>\n<message>" with a code of
 * base/err.h (both programs are built together). End of input ends it.
 */
#ifndef RECONCILE_SOURCE_PROTOCOL_H
#define RECONCILE_SOURCE_PROTOCOL_H

#define PROTOCOL_LINE_MAX 128
#define PROTOCOL_ARG_MAX 8192

/* Where a fetch keeps what the remote's HEAD was. */
#define CACHED_HEAD "refs/reconcile/HEAD"
#define FETCH_HEADS "+refs/heads/*:refs/heads/*"
#define FETCH_TAGS "+refs/tags/*:refs/tags/*"
#define FETCH_HEAD "+HEAD:" CACHED_HEAD

#endif
