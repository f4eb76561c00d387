/* SPDX-License-Identifier: MIT */
#ifndef VERIFY_DECLARED_H
#define VERIFY_DECLARED_H

/**
 * `ogpu-verify declared`: rebuilds every batch of a Settlement from logs and calldata and compares
 * what they declared with what they list. Prints one line a batch and a verdict.
 *
 * @argv    the program's; argv[1] is "declared"
 * @return  the exit code: 0 all is declared as listed, 1 refuted, 2 could not be checked
 */
int declared_main(int argc, char **argv);

#endif
