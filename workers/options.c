/* SPDX-License-Identifier: MIT */
#include "workers/options.h"

#include <stddef.h>
#include <stdio.h>
#include <string.h>

#define TEXT(env, member, fallback, help)                                               \
    {                                                                                   \
        env, CONFIG_TEXT, fallback, 0, 0, false, offsetof(struct options, member), help \
    }
#define INT(env, member, fallback, min, max, help)                                         \
    {                                                                                      \
        env, CONFIG_INT, fallback, min, max, false, offsetof(struct options, member), help \
    }

#define CONFIG_ROW \
    TEXT("OGPU_CONFIG", config, "", "file of NAME=value lines, read after the environment")

#define URL_ROW \
    TEXT("OGPU_URL", url, NULL, "the gateway, e.g. https://gateway.example; several with commas")

#define CHOICE_ROWS                                                                            \
    TEXT("OGPU_SOURCES", sources, "",                                                          \
         "ids of sources to serve, with commas; auto: what earns; empty: all that fit"),       \
        TEXT("OGPU_SOURCES_IF", sources_if, "",                                                \
             "and only those for which this holds, e.g. reward >= 0.01 && memory_mb <= 4096"), \
        INT("OGPU_WATTS", watts, "0", 0, 1000000, "power that this machine draws at work"),    \
        TEXT("OGPU_KWH_PRICE", kwh_price, "0", "what a kWh costs, in OGPU"),                   \
        INT("OGPU_SLOTS", slots, "1", 1, 64, "attempts at once")

#define BOOL(env, member, fallback, help)                                               \
    {                                                                                   \
        env, CONFIG_BOOL, fallback, 0, 0, false, offsetof(struct options, member), help \
    }

#define DEVICE_ROWS                                                                                \
    TEXT("OGPU_SIMULATE_GPU", simulate_gpu, "", "JSON file that stands for this machine's cards"), \
        TEXT("OGPU_SYS_ROOT", sys_root, "", "folder that stands for /, for proc and sys (tests)"), \
        TEXT("OGPU_DRIVER_ROOT", driver_root, "",                                                  \
             "folder in which the driver's dev and libraries lie; empty: /"),                      \
        TEXT("OGPU_CDI_DIRS", cdi_dirs, "/etc/cdi:/var/run/cdi", "folders of CDI specifications"), \
        TEXT("OGPU_DEVICE_LOCKS", device_locks, "/run/ogpu-devices",                               \
             "folder of card locks, the same for all workers of a machine"),                       \
        BOOL("OGPU_SCRUB", scrub, "true", "zero a card's memory between tasks")

#define EGRESS_ROWS                                                                                \
    TEXT("OGPU_EGRESS", egress, "none",                                                            \
         "sources that ask for a network: none, or listed: through a proxy to OGPU_EGRESS_HOSTS"), \
        TEXT("OGPU_EGRESS_HOSTS", egress_hosts, "",                                                \
             "hosts with commas: models.example.org, *.example.org, example.org:8443"),            \
        INT("OGPU_EGRESS_MB", egress_mb, "1024", 1, 1048576,                                       \
            "most that a source may ask for, for each run, in MiB"),                               \
        TEXT("OGPU_PRIVATE_EGRESS", private_egress, "",                                            \
             "those of them that may be in this machine and its networks: lets sources reach "     \
             "them")

#define KERNELS_ROW                   \
    TEXT("OGPU_KERNELS", kernels, "", \
         "the CUDA library, for simulated cards too; empty: ogpu-cuda.so beside this program")

#define RUNTIME_ROW \
    TEXT("OGPU_RUNTIME", runtime, "crun", "OCI runtime: crun, runc, runsc or a path")

#define LOCAL_ROWS                                                                               \
    CONFIG_ROW,                                                                                  \
        TEXT("OGPU_WORK_DIR", work_dir, "/var/lib/ogpu-worker",                                  \
             "folder of the image cache; one worker each"),                                      \
        RUNTIME_ROW,                                                                             \
        INT("OGPU_UID_BASE", uid_base, "200000", 65536, 4000000000,                              \
            "first host id of the containers; 65536 ids for each slot"),                         \
        INT("OGPU_IMAGE_MB", image_mb, "32768", 1, 1048576,                                      \
            "largest image that is unpacked, in MiB"),                                           \
        INT("OGPU_IMAGE_FILES", image_files, "1000000", 16, 10000000, "most files in an image"), \
        INT("OGPU_CACHE_MB", cache_mb, "65536", 0, 16777216,                                     \
            "images kept on disk, in MiB; the longest unused go first; 0: no limit"),            \
        INT("OGPU_FREE_MB", free_mb, "1024", 0, 16777216,                                        \
            "disk left free, in MiB: with less of it unused images go at any budget"),           \
        INT("OGPU_PULL_S", pull_s, "3600", 1, 604800,                                            \
            "seconds that a registry may take for an image"),                                    \
        EGRESS_ROWS, DEVICE_ROWS

const struct config_row options_local[] = {LOCAL_ROWS};
const size_t options_local_count = sizeof(options_local) / sizeof(options_local[0]);

const struct config_row options_agent[] = {
    URL_ROW,
    TEXT("OGPU_PROVIDER_KEY_FILE", key_file, "", "the provider's private key; a file of mode 0600"),
    TEXT("OGPU_SIGNER_SOCKET", signer_socket, "",
         "or the socket of `ogpu-worker signer`, which has the key"),
    TEXT("OGPU_MASTER", master, NULL, "address that earns"),
    TEXT("OGPU_MASTER_SIGNATURE_FILE", master_signature_file, "",
         "JSON {nonce, deadline, signature}: the master's over the same binding"),
    INT("L1_CHAIN_ID", chain_id, NULL, 1, INT64_MAX, "chain id of the signatures' domain"),
    TEXT("L1_SETTLEMENT", settlement, NULL,
         "address of the Settlement contract, in the signatures' domain"),
    BOOL(
        "OGPU_PRIVATE_REGISTRIES", private_registries, "false",
        "pull from this machine and its networks too (plain http here): lets clients look at them"),
    CHOICE_ROWS,
    INT("OGPU_SOURCES_S", sources_s, "60", 1, 86400,
        "seconds between looks for new sources, when none are named"),
    INT("OGPU_DRAIN_S", drain_s, "30", 0, 86400,
        "seconds that running work gets when the worker is told to end"),
    INT("OGPU_WARM_MB", warm_mb, "1024", 0, 1048576,
        "memory for containers kept for their source's next task; 0: none"),
    INT("OGPU_WARM_TASKS", warm_tasks, "100", 1, 1000000,
        "a kept container is replaced after so many tasks"),
    INT("OGPU_WARM_MINUTES", warm_minutes, "30", 1, 10080, "and at this age"),
    INT("OGPU_METRICS_PORT", metrics_port, "0", 0, 65535,
        "port of Prometheus metrics on 127.0.0.1; 0: none"),
    INT("OGPU_DEVICE_MS", device_ms, "2000", 50, 60000,
        "milliseconds between looks at the cards: faults, memory in use"),
    KERNELS_ROW,
    LOCAL_ROWS,
};
const size_t options_agent_count = sizeof(options_agent) / sizeof(options_agent[0]);

const struct config_row options_doctor[] = {
    TEXT("OGPU_URL", url, "", "the gateways"),
    TEXT("OGPU_PROVIDER_KEY_FILE", key_file, "", "the provider's key"),
    TEXT("OGPU_SIGNER_SOCKET", signer_socket, "", "or who has it"),
    TEXT("OGPU_MASTER", master, "", "address that earns"),
    TEXT("L1_SETTLEMENT", settlement, "", "address of the Settlement contract"),
    KERNELS_ROW,
    LOCAL_ROWS,
};
const size_t options_doctor_count = sizeof(options_doctor) / sizeof(options_doctor[0]);

const struct config_row options_earn[] = {
    CONFIG_ROW,
    URL_ROW,
    CHOICE_ROWS,
    EGRESS_ROWS,
    TEXT("OGPU_WORK_DIR", work_dir, "/var/lib/ogpu-worker", "folder with this machine's record"),
    RUNTIME_ROW,
    DEVICE_ROWS,
};
const size_t options_earn_count = sizeof(options_earn) / sizeof(options_earn[0]);

const struct config_row options_devices[] = {
    CONFIG_ROW,
    TEXT("OGPU_WORK_DIR", work_dir, "/var/lib/ogpu-worker",
         "folder of the image cache; one worker each"),
    DEVICE_ROWS,
};
const size_t options_devices_count = sizeof(options_devices) / sizeof(options_devices[0]);

const struct config_row options_signer[] = {
    CONFIG_ROW,
    TEXT("OGPU_PROVIDER_KEY_FILE", key_file, NULL, "the private key; a file of mode 0600"),
    TEXT("OGPU_SIGNER_SOCKET", signer_socket, NULL, "the socket to listen at"),
};
const size_t options_signer_count = sizeof(options_signer) / sizeof(options_signer[0]);

/* The file, if one is named. Its texts stay for the life of the process. */
static enum err_code read_file(int argc, char **argv, const struct config_file **out,
                               struct err *err)
{
    static const struct config_row row = CONFIG_ROW;
    static struct config_file *file;
    const char *path = config_peek(&row, argc, argv);
    *out = NULL;
    if (!path || !path[0])
        return E_OK;
    enum err_code rc = config_file_read(path, options_agent, options_agent_count, &file, err);
    *out = file;
    return rc;
}

enum err_code options_load(const struct config_row *rows, size_t n, int argc, char **argv,
                           struct options *out, struct err *err)
{
    const struct config_file *file;
    enum err_code rc = read_file(argc, argv, &file, err);
    return rc == E_OK
               ? config_load_from(rows, n, &(struct config_words){argc, argv, file}, out, err)
               : rc;
}

int options_show(int argc, char **argv)
{
    struct err err = {0};
    const struct config_file *file;
    bool show = argc > 0 && strcmp(argv[0], "show") == 0;
    int skip = show;
    bool origins = !show;
    if (argc > skip && strcmp(argv[skip], "--origin") == 0) {
        origins = true;
        skip++;
    }
    if (read_file(argc - skip, argv + skip, &file, &err) != E_OK) {
        fprintf(stderr, "ogpu-worker: %s\n", err.text);
        return 2;
    }
    config_show_from(options_agent, options_agent_count,
                     &(struct config_words){argc - skip, argv + skip, file}, origins);
    return 0;
}
