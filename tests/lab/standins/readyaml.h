/* YAML as the stand-in for Traefik reads it: into JSON, by way of libyaml. */
#ifndef STANDINS_READYAML_H
#define STANDINS_READYAML_H

#include <jansson.h>

/* NULL if the file cannot be read or is no YAML; the reason goes to standard error. */
json_t *read_yaml(const char *path);

#endif
