/* The part of Traefik's rule language that its stand-in knows: Host, PathPrefix and Path with && || ! ( ). */
#ifndef STANDINS_RULE_H
#define STANDINS_RULE_H

#include <stdbool.h>

/* False also for a rule that it does not understand. */
bool rule_matches(const char *rule, const char *host, const char *path);

#endif
