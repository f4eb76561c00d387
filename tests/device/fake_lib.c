/* SPDX-License-Identifier: MIT */
/* Any library: its SONAME is what is asked about. */
int nothing(void);

int nothing(void)
{
    return 0;
}
