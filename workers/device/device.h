/* SPDX-License-Identifier: MIT */
#ifndef WORKERS_DEVICE_DEVICE_H
#define WORKERS_DEVICE_DEVICE_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "core/manifest.h"

#define DEVICES_MAX     64
#define DEVICE_UUID_MAX 64

/** Why a card runs slower than it could; NVML's reasons, those that tell something. */
#define THROTTLE_POWER_CAP   0x1U  /**< the set power limit */
#define THROTTLE_HARDWARE    0x2U  /**< the board slows itself: heat or current */
#define THROTTLE_THERMAL     0x4U  /**< too hot */
#define THROTTLE_POWER_BRAKE 0x8U  /**< the supply asked for less */
#define THROTTLE_APPLICATION 0x10U /**< clocks that somebody set */

/** What changes from moment to moment; -1 where unknown. */
struct device_vitals {
    int utilization; /**< per cent of time in which a kernel ran */
    int64_t memory_used_mb;
    int temperature_c;
    int64_t power_mw;
    int64_t throttle;        /**< mask of THROTTLE_* */
    int64_t ecc_corrected;   /**< since the driver was loaded */
    int64_t ecc_uncorrected; /**< likewise */
    int64_t process_mb;      /**< memory of the compute processes, summed */
    int processes;           /**< how many those are */
};

/** One processor that can run sources: the CPU, a card, or a slice of a card (MIG). */
struct device {
    unsigned environment;       /**< ENV_CPU, ENV_NVIDIA or ENV_AMD */
    char uuid[DEVICE_UUID_MAX]; /**< as the driver gives it; "" for the CPU. The only name of it */
    char name[128];
    char architecture[32]; /**< "hopper", "gfx90a", "x86_64"; "" when unknown */
    int capability;        /**< CUDA compute capability, major * 10 + minor; 0 when unknown */
    int64_t memory_mb;
    int64_t cores;     /**< CPU only */
    char features[96]; /**< CPU only: what sources ask about, with spaces */
    char driver[64];
    char cuda[16]; /**< highest CUDA version of the driver, "12.8" */
    int ecc;       /**< 1 on, 0 off, -1 unknown or none */
    int mig;       /**< 1: cut into slices, which are listed too; 0 not; -1 cannot be */
    char parent[DEVICE_UUID_MAX]; /**< a slice's card; "" for a whole one */
    int gpu_instance;             /**< a slice's ids below its card */
    int compute_instance;
    int64_t power_limit_mw; /**< -1 unknown */
    int pcie_generation;    /**< of the link as it runs now; 0 unknown */
    int pcie_width;
    char bus_id[32]; /**< "00000000:3B:00.0" */
    int minor;       /**< NVIDIA: the N of /dev/nvidiaN; AMD: of /dev/dri/renderDN; -1 unknown */
    bool simulated;
    struct device_vitals vitals;
    int xid;   /**< the gravest error event since the last look, NVML's number; 0 none */
    bool lost; /**< known, but it answers nothing any more */
};

/** What a look at the machine found; the CPU first. */
struct device_list {
    struct device row[DEVICES_MAX];
    size_t n;
};

/** Where to look. Opened once: NVML reports each error event to a listener that was there. */
struct device_finder {
    const char *simulate; /**< file that stands for the cards of this machine; "" for real ones */
    const char *sys_root; /**< "" or a folder that stands for / in tests: sys, proc below it */
    struct nvml *nvml;    /**< NULL without a driver */
    struct cuda *cuda;    /**< where there is a CUDA driver but no NVML; else NULL */
    int64_t simulate_ns;  /**< change time of the file when its events were last taken */
};

/**
 * Open the driver, if there is one.
 *
 * @f  `simulate` and `sys_root` set by the caller, borrowed for as long as it is open
 */
void device_finder_open(struct device_finder *f);
void device_finder_close(struct device_finder *f);

/** Where no NVML was found: look for it again. A headless machine loads its driver late. */
void device_finder_again(struct device_finder *f);

/**
 * Look at the CPU and every card. What a driver does not tell stays unknown.
 *
 * @return E_CONFIG when the simulation's file is unreadable; never for want of a driver
 */
MUST_CHECK enum err_code device_finder_scan(struct device_finder *f, struct device_list *out,
                                            struct err *err);

/** Whether a container may have it: not the CPU, not a card that is cut into slices. */
bool device_is_card(const struct device *d);

/** A row with everything unknown. */
struct device device_unknown(unsigned environment);

/** "cpu", "nvidia", "amd"; static. */
const char *device_environment_word(unsigned environment);

/** A device as the heartbeat carries it (openapi: Device); a new reference. */
json_t *device_json(const struct device *d);

/** The reasons of a mask as a JSON array of words; a new reference. */
json_t *device_throttle_json(int64_t mask);

#endif
