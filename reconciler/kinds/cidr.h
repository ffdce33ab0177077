/* IP networks in CIDR notation, both families. Pure. */
#ifndef RECONCILE_KINDS_CIDR_H
#define RECONCILE_KINDS_CIDR_H

#include <stdbool.h>

struct cidr {
	int family; /* AF_INET, AF_INET6 */
	unsigned char addr[16];
	unsigned bits;
};

/* "10.0.0.0/8", or an address alone as a network of one; host bits are cleared. False: neither. */
bool cidr_parse(const char *text, struct cidr *out);
bool cidr_contains(const struct cidr *net, const struct cidr *other);
/* "10.0.0.0/8", an address alone when bits says so: equal networks give equal text. */
#define CIDR_TEXT_SIZE 64
void cidr_format(const struct cidr *c, char text[static CIDR_TEXT_SIZE]);

#endif
