/* SPDX-License-Identifier: MIT */
#ifndef CORE_COMPOSE_H
#define CORE_COMPOSE_H

#include "lib/arena.h"
#include "lib/err.h"

/*
 * OpenGPU describes a source by one compose file per environment. What of such a file can be obeyed
 * inside our containers is read here; what would open the provider's machine is refused with its
 * line, and so is what we would not obey: a signed manifest may not say what nobody does.
 */

#define COMPOSE_WORDS_MAX   64
#define COMPOSE_ENV_MAX     64
#define COMPOSE_TEXT_MAX    4096
#define COMPOSE_VOLUMES_MAX 8
#define COMPOSE_PORT        "5555" /**< where the service listens, and what ${PORT} stands for */

/** What a provider fills in; the contract's variables. NULL: empty text. */
struct compose_values {
    const char *callback_url;
    const char *source_address;
    const char *provider_address;
};

/** A named volume: the provider's cache of that name, read only. */
struct compose_volume {
    const char *name;  /**< [A-Za-z0-9][A-Za-z0-9_.-]{0,63} */
    const char *place; /**< absolute path inside the container, without . and .. */
};

/** The one service of a compose file. Everything lives in the arena. */
struct compose_service {
    const char *reference; /**< registry/name@sha256:… */
    const char *digest;    /**< sha256:… */
    bool has_entrypoint;   /**< replaces the image's, and its command with it */
    bool has_command;      /**< replaces the image's command */
    const char *entrypoint[COMPOSE_WORDS_MAX];
    size_t entrypoint_count;
    const char *command[COMPOSE_WORDS_MAX];
    size_t command_count;
    const char *env[COMPOSE_ENV_MAX]; /**< NAME=value */
    size_t env_count;
    const char *cwd; /**< or NULL: the image's */
    uint32_t uid;    /**< 0: the image's */
    uint32_t gid;
    int gpus; /**< how many cards are reserved; -1 all there are, 0 none */
    struct compose_volume volumes[COMPOSE_VOLUMES_MAX];
    size_t volume_count;
};

/**
 * Read a compose file.
 *
 * @yaml         its text, YAML_BYTES_MAX at most
 * @environment  ENV_CPU, ENV_NVIDIA or ENV_AMD: which file of the source this is
 * @values       what stands for the contract's variables; NULL to judge the file only
 * @return       E_BAD_MANIFEST, the text begins with "line N: "
 */
MUST_CHECK enum err_code compose_read(struct text yaml, unsigned environment,
                                      const struct compose_values *values, struct arena *a,
                                      struct compose_service *out, struct err *err);

#define COMPOSE_PROBLEMS_MAX 16

/** What is wrong with a file; the texts begin with "line N: " and live in the arena. */
struct compose_problems {
    const char *text[COMPOSE_PROBLEMS_MAX];
    size_t n;
};

/**
 * All that compose_read() would refuse, one after the other: the first COMPOSE_PROBLEMS_MAX, at
 * most one of a single value. A file that is no YAML has one.
 */
void compose_judge(struct text yaml, unsigned environment, struct arena *a,
                   struct compose_problems *out);

#endif
