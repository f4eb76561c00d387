/* SPDX-License-Identifier: MIT */
#include "workers/device/fault.h"

#include "lib/err.h"

/*
 * The first rows are what a hostile or broken source can bring about at will: were they held
 * against the card, one task could take every card of a provider out of service. None is there that
 * NVIDIA does not lay to applications itself; docs/gpu.md says where.
 */
static const struct fault_kind kinds[] = {
    {8, true, "the program's work took too long and was ended"},
    {11, true, "the program's commands were malformed"},
    {13, true, "graphics engine exception"},
    {14, true, "error reported by the program itself"},
    {24, true, "the program's semaphore was not released in time"},
    {25, true, "the program's commands were illegal"},
    {31, true, "memory page fault of the program"},
    {37, true, "the program's command is unknown to the firmware"},
    {43, true, "the program's channel was stopped"},
    {45, true, "the program's work was cleaned up early"},
    {66, true, "illegal register access"},
    {67, true, "illegal access"},
    {68, true, "video decoder exception"},
    {69, true, "graphics engine class error"},
    {137, true, "illegal NVLink access of the program"},
    {48, false, "double bit ECC error"},
    {61, false, "internal microcontroller breakpoint"},
    {62, false, "internal microcontroller halt"},
    {63, false, "row remapping or page retirement recorded"},
    {64, false, "row remapping or page retirement failed"},
    {74, false, "NVLink error"},
    {79, false, "the card has fallen off the bus"},
    {92, false, "high rate of single bit ECC errors"},
    {94, false, "contained ECC error"},
    {95, false, "uncontained ECC error"},
    {119, false, "the card's system processor does not answer"},
    {120, false, "error of the card's system processor"},
    {140, false, "unrecovered ECC error"},
};

const struct fault_kind *fault_of_xid(int xid)
{
    static const struct fault_kind other = {0, false, "error event of the driver"};
    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        if (kinds[i].xid == xid)
            return &kinds[i];
    }
    return &other;
}

int fault_graver(int kept, int next)
{
    bool covers = fault_of_xid(kept)->program && !fault_of_xid(next)->program;
    return kept == 0 || covers ? next : kept;
}
