/* SPDX-License-Identifier: MIT */
/* The project's kernels as they are, on a card of paper (cuda_runtime.h beside this). */
#include "cuda_runtime.h"

#include <ucontext.h>
#include <unistd.h>

#include <vector>

#include "workers/kernels/card.cuh"

#define STACK 131072

dim3 threadIdx, blockIdx, blockDim, gridDim;

namespace {
struct fiber {
    ucontext_t context;
    std::vector<char> stack;
    bool done;
};
std::vector<fiber> fibers;
ucontext_t scheduler;
unsigned current;
const std::function<void()> *work;

void run()
{
    (*work)();
    fibers[current].done = true;
}

void prepare(fiber &f)
{
    f.stack.resize(STACK);
    f.done = false;
    getcontext(&f.context);
    f.context.uc_stack.ss_sp = f.stack.data();
    f.context.uc_stack.ss_size = STACK;
    f.context.uc_link = &scheduler;
    makecontext(&f.context, run, 0);
}

void run_block(unsigned threads)
{
    bool left = true;

    for (unsigned t = 0; t < threads; t++)
        prepare(fibers[t]);
    while (left) {
        left = false;
        for (unsigned t = 0; t < threads; t++) {
            if (fibers[t].done)
                continue;
            current = t;
            threadIdx.x = t;
            swapcontext(&scheduler, &fibers[t].context);
            left = left || !fibers[t].done;
        }
    }
}

/* A large launch takes as long as the file is there that PAPER_CARD_HOLD names: a test's way to be
 * in the middle of one. */
void hold(dim3 grid)
{
    const char *file = getenv("PAPER_CARD_HOLD");

    while (grid.x > 8 && file != NULL && access(file, F_OK) == 0)
        usleep(10000);
}
} // namespace

void __syncthreads(void)
{
    swapcontext(&fibers[current].context, &scheduler);
}

void emulate(dim3 grid, dim3 block, const std::function<void()> &body)
{
    if (fibers.size() < block.x)
        fibers.resize(block.x);
    hold(grid);
    work = &body;
    gridDim = grid;
    blockDim = block;
    for (unsigned y = 0; y < grid.y; y++)
        for (unsigned x = 0; x < grid.x; x++) {
            blockIdx = dim3(x, y);
            run_block(block.x);
        }
}

/* Speed is what paper has none of, unless a test says which: seven rates in PAPER_CARD_RATES. */
int cuda_bench(const char *, struct kernels_rates *out, char *why)
{
    const char *said = getenv("PAPER_CARD_RATES");

    if (said != NULL && sscanf(said, "%lf %lf %lf %lf %lf %lf %lf", &out->int8_tops,
                               &out->fp16_tflops, &out->bf16_tflops, &out->fp32_tflops,
                               &out->copy_gb_s, &out->to_card_gb_s, &out->from_card_gb_s) == 7)
        return 0;
    snprintf(why, KERNELS_WHY_MAX, "a card of paper has no rates");
    return 1;
}
