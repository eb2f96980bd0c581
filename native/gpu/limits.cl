/* What the device can do at most, for figures to be held against. */
#include "language.h"
#include "reals.h"

/* 4 count powers of two per work item, independent of one another, between 1/2 and 1. */
KERNEL GROUP(256) void exponentials(GLOBAL REAL* out, int count)
{
  REAL x = (REAL)-1 / (2 + LOCAL_ID), sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
  int k;
  for (k = 0; k < count; k++) {
    sum0 += EXP2(x);
    sum1 += EXP2(x * (REAL)0.75);
    sum2 += EXP2(x * (REAL)0.5);
    sum3 += EXP2(x * (REAL)0.25);
    x *= (REAL)0.999; /* not the same ones again */
  }
  out[GROUP_ID * 256 + LOCAL_ID] = (sum0 + sum1) + (sum2 + sum3);
}
