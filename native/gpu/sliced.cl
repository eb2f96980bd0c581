/* Projections of points on many directions, each direction's sorted by a bitonic network over a power of two of entries, at least BLOCK.
 *
 * Entries of direction s begin at s * padded; beyond the points keys are infinite. Each key carries its point, and of equal keys the earlier point comes first. */
#include "language.h"
#include "reals.h"

#define BLOCK 512

/* key = theta . x, coordinates one after another; one work item per entry. */
KERNEL GROUP(256) void project(GLOBAL const REAL* x, GLOBAL const REAL* theta, GLOBAL REAL* keys, GLOBAL int* points, int n, int d, int padded)
{
  long at = (long)GROUP_ID * 256 + LOCAL_ID;
  int slice = (int)(at / padded), i = (int)(at % padded), k;
  REAL key = i < n ? 0 : INFINITY;
  if (i < n)
    for (k = 0; k < d; k++)
      key = fma(theta[(long)slice * d + k], x[(long)k * n + i], key);
  keys[at] = key;
  points[at] = i;
}

/* Whether two entries that are `stride` apart change places in a network of runs of `size`, which rise and fall by turns. No two are equal. */
INLINE int is_misplaced(REAL low, int low_point, REAL high, int high_point, int place, int size)
{
  int after = low > high || (low == high && low_point > high_point);
  return after == ((place & size) == 0);
}

/* Runs of `from` to `to` entries, those of their steps that stay within a block: all of them up to BLOCK, the last ones above. One group per block. */
KERNEL GROUP(256) void sort_blocks(GLOBAL REAL* keys, GLOBAL int* points, int padded, int from, int to)
{
  SHARED REAL key[BLOCK];
  SHARED int point[BLOCK];
  long start = (long)GROUP_ID * BLOCK;
  int place = (int)(start % padded), size, stride, e;
  for (e = LOCAL_ID; e < BLOCK; e += 256) {
    key[e] = keys[start + e];
    point[e] = points[start + e];
  }
  for (size = from; size <= to; size *= 2)
    for (stride = size < BLOCK ? size / 2 : BLOCK / 2; stride > 0; stride /= 2) {
      int low = 2 * LOCAL_ID - (LOCAL_ID & (stride - 1)), high = low + stride;
      BARRIER();
      if (is_misplaced(key[low], point[low], key[high], point[high], place + low, size)) {
        REAL held = key[low];
        int held_point = point[low];
        key[low] = key[high];
        point[low] = point[high];
        key[high] = held;
        point[high] = held_point;
      }
    }
  BARRIER();
  for (e = LOCAL_ID; e < BLOCK; e += 256) {
    keys[start + e] = key[e];
    points[start + e] = point[e];
  }
}

/* One step of runs of `size`, its entries at least a block apart. One work item per pair of entries. */
KERNEL GROUP(256) void sort_step(GLOBAL REAL* keys, GLOBAL int* points, int padded, int size, int stride)
{
  long pair = (long)GROUP_ID * 256 + LOCAL_ID;
  long low = 2 * pair - (pair & (stride - 1)), high = low + stride;
  REAL low_key = keys[low], high_key = keys[high];
  int low_point = points[low], high_point = points[high];
  if (is_misplaced(low_key, low_point, high_key, high_point, (int)(low % padded), size)) {
    keys[low] = high_key;
    points[low] = high_point;
    keys[high] = low_key;
    points[high] = low_point;
  }
}
