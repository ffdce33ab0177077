/* The parts of an http or https URL that say where a connection goes to. */
#ifndef RECONCILE_BASE_URL_H
#define RECONCILE_BASE_URL_H

#include <stdbool.h>

struct url {
	char *host; /* malloc'ed; an IPv6 address without its brackets */
	int port;   /* of the URL, else the scheme's: 80 or 443 */
};

/*
 * false, and *out untouched: no such URL, or its host is neither a name of letters, digits, '_', '.' and '-' that
 * begins with a letter or digit, nor an address, or it has a user name in it.
 */
bool url_parse(const char *url, struct url *out);
void url_free(struct url *u);

#endif
