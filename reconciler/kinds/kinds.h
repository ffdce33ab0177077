/* The kinds of this program; kinds.c lists them in decode order. */
#ifndef RECONCILE_KINDS_KINDS_H
#define RECONCILE_KINDS_KINDS_H

#include "model/kind.h"

extern const struct kind kind_absent;
extern const struct kind kind_check;
extern const struct kind kind_config;
extern const struct kind kind_container;
extern const struct kind kind_directory;
extern const struct kind kind_engine;
extern const struct kind kind_export;
extern const struct kind kind_firewall;
extern const struct kind kind_kept;
extern const struct kind kind_model;
extern const struct kind kind_mount;
extern const struct kind kind_network;
extern const struct kind kind_node;
extern const struct kind kind_package;
extern const struct kind kind_route;
extern const struct kind kind_secret;
extern const struct kind kind_service;
extern const struct kind kind_swarm;
extern const struct kind kind_traefik;
extern const struct kind kind_volume;

#endif
