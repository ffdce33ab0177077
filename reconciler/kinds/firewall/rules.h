/*
 * Rules of a node's firewall: what the probe saw of them, and whether one that is wanted is there. Pure.
 * Sources: the tables of ufw 0.36 (/etc/ufw/user.rules), firewalld.richlanguage(5), nft(8).
 */
#ifndef RECONCILE_KINDS_FIREWALL_RULES_H
#define RECONCILE_KINDS_FIREWALL_RULES_H

#include "base/json.h"
#include "base/mem.h"
#include "kinds/cidr.h"

/* "2049/tcp from 10.0.0.84": what is let in. One address. */
struct firewall_rule {
	unsigned port;
	char protocol[4]; /* "tcp", "udp" */
	char source[CIDR_TEXT_SIZE];
};

#define FIREWALL_KEY_SIZE 96
void firewall_key(const struct firewall_rule *r, char key[static FIREWALL_KEY_SIZE]);
bool firewall_rule_of(const char *key, struct firewall_rule *out);

/* What marks a rule as ours: "reconcile <cluster>". malloc'ed. */
char *firewall_comment(const char *cluster);
/*
 * firewalld's rules have no comments, but a priority that says when they are looked at. Ours have one that nobody
 * chooses by hand, made of the cluster's name; before 0, which is before what a zone refuses.
 */
int firewall_priority(const char *cluster);
/* A rich rule with that priority, appended. */
void firewall_rich_rule(const struct firewall_rule *r, const char *cluster, struct str *out);

enum firewall_type {
	FIREWALL_UFW,
	FIREWALL_FIREWALLD, /* the default zone */
	FIREWALL_NFTABLES,  /* a ruleset that somebody wrote by hand */
};

struct firewall {
	enum firewall_type type;
	const char *chain;       /* nftables: "inet filter input", the first that drops. In the arena */
	VEC(const char *) lines; /* as the probe printed them; in the arena */
};
/* text: the probe's. False: no firewall that this program knows. */
bool firewall_parse(const char *text, struct arena *a, struct firewall *out);
void firewall_free(struct firewall *f);

/* Somebody's rule lets in what the key says, all of it. */
bool firewall_allows(const struct firewall *f, const char *key, const char *cluster);
/* Keys of the rules that carry the cluster's mark; {} for nftables, where a person adds and removes them. New
 * reference. */
json_t *firewall_own(const struct firewall *f, const char *cluster);
/* nftables: the command that adds it, appended. */
void firewall_advice(const struct firewall *f, const char *key, const char *cluster, struct str *out);

#endif
