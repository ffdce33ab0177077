#include "kinds/firewall/rules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

void firewall_key(const struct firewall_rule *r, char key[static FIREWALL_KEY_SIZE])
{
	snprintf(key, FIREWALL_KEY_SIZE, "%u/%s from %s", r->port, r->protocol, r->source);
}

bool firewall_rule_of(const char *key, struct firewall_rule *out)
{
	return sscanf(key, "%5u/%3[a-z] from %63s", &out->port, out->protocol, out->source) == 3;
}

char *firewall_comment(const char *cluster)
{
	return xasprintf("reconcile %s", cluster);
}

bool firewall_parse(const char *text, struct arena *a, struct firewall *out)
{
	static const char *const types[] = {"ufw", "firewalld", "nftables"};
	char *save, *copy = arena_strdup(a, text), *first = strtok_r(copy, "\n", &save);

	*out = (struct firewall){0};
	for (size_t i = 0; first && i < ARRAY_SIZE(types); i++) {
		if (strcmp(types[i], first) != 0)
			continue;
		out->type = (enum firewall_type)i;
		for (char *line = strtok_r(NULL, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
			line += strspn(line, " \t");
			if (out->type != FIREWALL_NFTABLES || !str_starts(line, "chain "))
				vec_push(&out->lines, line);
			else if (!out->chain)
				out->chain = line + strlen("chain ");
		}
		return true;
	}
	return false;
}

void firewall_free(struct firewall *f)
{
	vec_free(&f->lines);
}

static const char *family(const struct firewall_rule *r, const char *v4, const char *v6)
{
	return strchr(r->source, ':') ? v6 : v4;
}

/* ufw: "### tuple ### allow tcp 2049 0.0.0.0/0 any 10.0.0.84 [application application] in[_interface] [comment=hex]" */

struct tuple {
	char action[16], protocol[8], dport[128], dst[64], sport[128], src[64], direction[64], comment[1100];
};

static bool tuple_parse(const char *line, struct tuple *t)
{
	char words[4][1100] = {"", "", "", ""};

	*t = (struct tuple){0};
	int n = sscanf(line, "### tuple ### %15s %7s %127s %63s %127s %63s %1099s %1099s %1099s %1099s", t->action,
		       t->protocol, t->dport, t->dst, t->sport, t->src, words[0], words[1], words[2], words[3]);
	if (n < 7)
		return false;
	bool has_comment = str_starts(words[n - 7], "comment=");
	const char *direction = words[n - 7 - has_comment];
	if (n - 7 < has_comment || strlen(direction) >= sizeof(t->direction))
		return false;
	strcpy(t->direction, direction);
	if (has_comment)
		strcpy(t->comment, words[n - 7] + strlen("comment="));
	return true;
}

static bool is_any(const char *text)
{
	return str_eq(text, "any") || str_eq(text, "0.0.0.0/0") || str_eq(text, "::/0");
}

/* "any", "2049", "6000:6010", "80,443" */
static bool has_port(const char *list, unsigned port)
{
	if (is_any(list))
		return true;
	while (*list) {
		char *end;
		unsigned long first = strtoul(list, &end, 10), last = *end == ':' ? strtoul(end + 1, &end, 10) : first;
		if (end == list)
			return false;
		if (first <= port && port <= last)
			return true;
		list = end + (*end == ',');
	}
	return false;
}

static bool tuple_allows(const struct tuple *t, const struct firewall_rule *r)
{
	struct cidr net, address;

	return str_eq(t->action, "allow") && str_eq(t->direction, "in") && is_any(t->dst) && is_any(t->sport) &&
	       (is_any(t->protocol) || str_eq(t->protocol, r->protocol)) && has_port(t->dport, r->port) &&
	       cidr_parse(t->src, &net) && cidr_parse(r->source, &address) && cidr_contains(&net, &address);
}

static bool is_hex_of(const char *hex, const char *text)
{
	for (; *text; text++, hex += 2) {
		char pair[3];
		snprintf(pair, sizeof(pair), "%02x", (unsigned char)*text);
		if (strncmp(hex, pair, 2) != 0)
			return false;
	}
	return *hex == '\0';
}

static bool tuple_own(const char *line, const char *comment, struct firewall_rule *out)
{
	struct cidr source;
	struct tuple t;
	char rest;

	*out = (struct firewall_rule){0};
	if (!tuple_parse(line, &t) || !is_hex_of(t.comment, comment) || !str_eq(t.action, "allow") ||
	    !str_eq(t.direction, "in") || strlen(t.protocol) >= sizeof(out->protocol) ||
	    sscanf(t.dport, "%5u%c", &out->port, &rest) != 1 || !cidr_parse(t.src, &source))
		return false;
	strcpy(out->protocol, t.protocol);
	cidr_format(&source, out->source);
	return true;
}

/* firewalld: as `firewall-cmd --list-rich-rules` prints them */

int firewall_priority(const char *cluster)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (; *cluster; cluster++)
		hash = (hash ^ (unsigned char)*cluster) * 16777619u;
	return -1000 - (int)(hash % 30000);
}

static void rich_rule(const struct firewall_rule *r, struct str *out)
{
	str_addf(out, "family=\"%s\" source address=\"%s\" port port=\"%u\" protocol=\"%s\" accept",
		 family(r, "ipv4", "ipv6"), r->source, r->port, r->protocol);
}

void firewall_rich_rule(const struct firewall_rule *r, const char *cluster, struct str *out)
{
	str_addf(out, "rule priority=\"%d\" ", firewall_priority(cluster));
	rich_rule(r, out);
}

/* Of whatever priority. */
static bool rich_allows(const char *line, const struct firewall_rule *r)
{
	_cleanup_str_ struct str exact = {0};
	const char *family = strstr(line, "family=");

	rich_rule(r, &exact);
	return str_starts(line, "rule ") && family && strcmp(family, str_cstr(&exact)) == 0;
}

static bool rich_own(const char *line, const char *cluster, struct firewall_rule *out)
{
	_cleanup_str_ struct str again = {0};
	const char *source = strstr(line, "source address=");

	*out = (struct firewall_rule){0};
	if (!source || sscanf(source, "source address=\"%63[^\"]\" port port=\"%5u\" protocol=\"%3[a-z]\"", out->source,
			      &out->port, out->protocol) != 3)
		return false;
	firewall_rich_rule(out, cluster, &again);
	return strcmp(line, str_cstr(&again)) == 0;
}

/* nftables: as nft prints what firewall_advice adds */

static void nft_rule(const struct firewall_rule *r, const char *cluster, struct str *out)
{
	str_addf(out, "%s saddr %s %s dport %u accept comment \"reconcile %s\"", family(r, "ip", "ip6"), r->source,
		 r->protocol, r->port, cluster);
}

static bool nft_allows(const char *line, const struct firewall_rule *r, const char *cluster)
{
	_cleanup_str_ struct str exact = {0};

	str_adds(&exact, "rule ");
	nft_rule(r, cluster, &exact);
	return strcmp(line, str_cstr(&exact)) == 0;
}

bool firewall_allows(const struct firewall *f, const char *key, const char *cluster)
{
	struct firewall_rule r;
	struct tuple t;

	if (!firewall_rule_of(key, &r))
		return false;
	for (size_t i = 0; i < f->lines.n; i++) {
		const char *line = f->lines.v[i];
		if (f->type == FIREWALL_UFW         ? tuple_parse(line, &t) && tuple_allows(&t, &r)
		    : f->type == FIREWALL_FIREWALLD ? rich_allows(line, &r)
						    : nft_allows(line, &r, cluster))
			return true;
	}
	return false;
}

json_t *firewall_own(const struct firewall *f, const char *cluster)
{
	_cleanup_free_ char *comment = firewall_comment(cluster);
	json_t *own = json_object();
	char key[FIREWALL_KEY_SIZE];
	struct firewall_rule r;

	for (size_t i = 0; f->type != FIREWALL_NFTABLES && i < f->lines.n; i++) {
		const char *line = f->lines.v[i];
		if (f->type == FIREWALL_UFW ? !tuple_own(line, comment, &r) : !rich_own(line, cluster, &r))
			continue;
		firewall_key(&r, key);
		json_set_bool(own, key, true);
	}
	return own;
}

void firewall_advice(const struct firewall *f, const char *key, const char *cluster, struct str *out)
{
	struct firewall_rule r;

	if (!firewall_rule_of(key, &r))
		return;
	str_addf(out, "nft add rule %s '", f->chain ? f->chain : "inet filter input");
	nft_rule(&r, cluster, out);
	str_addc(out, '\'');
}
