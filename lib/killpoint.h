/* SPDX-License-Identifier: MIT */
#ifndef LIB_KILLPOINT_H
#define LIB_KILLPOINT_H

/*
 * Named places where a test may end or stop the process. Compiled in only with -DOGPU_KILLPOINTS; a
 * program built without it has no such code. OGPU_KILLPOINT in the environment says which place, on
 * which hit, and what happens there:
 *
 *   g5            SIGKILL on the first hit
 *   g5:3          SIGKILL on the third
 *   g5:3:stop     SIGSTOP
 *   g5:3:1500     a delay of 1500 ms
 *
 * Gateway: g4 COMMIT sent · g5 committed, not queued · g6 queued, not replied · g7 half a reply.
 * Checks: v1 read · v2 verdict made · v3 COMMIT sent · v4 committed.
 * Keeper: o1 picked · o2 effect done · o3 before the mark · o4 a resync half way.
 * Relayer: r1 batch formed · r2 nonce reserved · r3 signed and stored · r4 sent, answer unread · r5
 * sent, recorded · r6 mined · r7 final, not booked · r8 replacement stored, not sent.
 */
#ifdef OGPU_KILLPOINTS
#define KILLPOINT(name) killpoint_hit(name)
/** The process is at this place; any thread. */
void killpoint_hit(const char *name);
#else
#define KILLPOINT(name) ((void)0)
#endif

#endif
