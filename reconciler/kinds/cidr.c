#include "kinds/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static unsigned max_bits(int family)
{
	return family == AF_INET ? 32 : 128;
}

static bool parse_bits(const char *text, unsigned max, unsigned *bits)
{
	size_t digits = strspn(text, "0123456789");
	if (digits == 0 || digits > 3 || text[digits] != '\0')
		return false;
	*bits = (unsigned)atoi(text);
	return *bits <= max;
}

static void clear_host_bits(struct cidr *c)
{
	for (unsigned i = 0; i < sizeof(c->addr); i++) {
		if (c->bits <= i * 8)
			c->addr[i] = 0;
		else if (c->bits < i * 8 + 8)
			c->addr[i] &= (unsigned char)(0xff << (i * 8 + 8 - c->bits));
	}
}

bool cidr_parse(const char *text, struct cidr *out)
{
	struct cidr c = {0};
	char address[INET6_ADDRSTRLEN];
	const char *slash = strchr(text, '/');
	size_t len = slash ? (size_t)(slash - text) : strlen(text);

	if (len >= sizeof(address))
		return false;
	memcpy(address, text, len);
	address[len] = '\0';
	c.family = strchr(address, ':') ? AF_INET6 : AF_INET;
	if (inet_pton(c.family, address, c.addr) != 1)
		return false;
	c.bits = max_bits(c.family);
	if (slash && !parse_bits(slash + 1, c.bits, &c.bits))
		return false;
	clear_host_bits(&c);
	*out = c;
	return true;
}

bool cidr_contains(const struct cidr *net, const struct cidr *other)
{
	struct cidr cut = *other;

	if (net->family != other->family || net->bits > other->bits)
		return false;
	cut.bits = net->bits;
	clear_host_bits(&cut);
	return memcmp(cut.addr, net->addr, sizeof(cut.addr)) == 0;
}

void cidr_format(const struct cidr *c, char text[static CIDR_TEXT_SIZE])
{
	char address[INET6_ADDRSTRLEN] = "";

	inet_ntop(c->family, c->addr, address, sizeof(address));
	if (c->bits == max_bits(c->family))
		snprintf(text, CIDR_TEXT_SIZE, "%s", address);
	else
		snprintf(text, CIDR_TEXT_SIZE, "%s/%u", address, c->bits);
}
