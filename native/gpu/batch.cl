/* Many small problems, one group for each: flat arrays and the offsets at which each problem begins. Iterations of a problem run in its group until it is done.
 *
 * Problem k has rows offsets_a[k] .. offsets_a[k + 1], columns likewise, costs from starts[k] on, step and flags as in vectors.cl at 8 k and 4 k, figures at 2 k.
 * Potentials alternate between two sets, `total` entries apart, so that the last finite ones stay. All is WIDE. */
#include "language.h"
#include "reals.h"
#include "marginals.h"

#define GROUP_SIZE 64

/* The sum of a value over the group, for every item. All items come here together. */
INLINE WIDE group_sum(LOCAL WIDE* shared, WIDE value)
{
  WIDE total = 0;
  int e;
  BARRIER();
  shared[LOCAL_ID] = value;
  BARRIER();
  for (e = 0; e < GROUP_SIZE; e++)
    total += shared[e];
  return total;
}

/* log2 of the sum of 2^(slope (potential - c) + logs log weight) over entries `cost_step` apart in C. */
INLINE WIDE log2_sum(GLOBAL const WIDE* costs, int cost_step, GLOBAL const WIDE* potential, GLOBAL const WIDE* log, int count, WIDE slope, WIDE logs)
{
  WIDE top = -INFINITY, sum = 0;
  int e;
  for (e = 0; e < count; e++) {
    WIDE t = log[e] == -INFINITY ? -INFINITY : fma(slope, potential[e] - costs[(long)e * cost_step], logs * log[e]);
    if (t > top) {
      sum = fma(sum, EXP2_WIDE(top - t), (WIDE)1);
      top = t;
    } else if (t > -INFINITY)
      sum += EXP2_WIDE(t - top);
    else if (!(t == -INFINITY))
      sum = t; /* what is no number stays none */
  }
  return top + LOG2_WIDE(sum);
}

KERNEL GROUP(GROUP_SIZE) void iterate(GLOBAL const WIDE* costs, GLOBAL const long* starts, GLOBAL const int* offsets_a, GLOBAL const int* offsets_b,
                                      GLOBAL const WIDE* a, GLOBAL const WIDE* log_a, GLOBAL const WIDE* b, GLOBAL const WIDE* log_b, GLOBAL const WIDE* steps,
                                      GLOBAL WIDE* f, GLOBAL WIDE* g, GLOBAL int* flags, GLOBAL WIDE* figures, int total_a, int total_b, int rounds)
{
  SHARED WIDE shared[GROUP_SIZE];
  int problem = GROUP_ID, from_a = offsets_a[problem], from_b = offsets_b[problem];
  int n = offsets_a[problem + 1] - from_a, m = offsets_b[problem + 1] - from_b;
  GLOBAL const WIDE* step = steps + 8 * problem;
  GLOBAL const WIDE* c = costs + starts[problem];
  WIDE slope = step[0], omega = step[2];
  int done = flags[4 * problem], made = flags[4 * problem + 1], limit = flags[4 * problem + 3], round;
  for (round = 0; round < rounds && !done; round++) {
    GLOBAL const WIDE* old_f = f + (made % 2) * total_a + from_a;
    GLOBAL const WIDE* old_g = g + (made % 2) * total_b + from_b;
    GLOBAL WIDE* new_f = f + ((made + 1) % 2) * total_a + from_a;
    GLOBAL WIDE* new_g = g + ((made + 1) % 2) * total_b + from_b;
    WIDE error = 0, mass = 0;
    int i, j;
    for (i = LOCAL_ID; i < n; i += GROUP_SIZE) {
      WIDE soft = -log2_sum(c + (long)i * m, 1, old_g, log_b + from_b, m, slope, step[1]) / slope;
      WIDE next = isfinite(soft) ? fmin(fmax((1 - omega) * old_f[i] + omega * step[4] * soft, -step[6]), step[6]) : 0;
      WIDE weight = a[from_a + i];
      if (omega != 1 && weight != 0)
        error += missed(weight * EXP2_WIDE((next - soft) * slope), weight, next, step[4], step[6], slope);
      new_f[i] = next;
    }
    BARRIER_ALL();
    for (j = LOCAL_ID; j < m; j += GROUP_SIZE) {
      WIDE weight = b[from_b + j], now = old_g[j], soft, marginal;
      if (weight == 0) {
        new_g[j] = now;
        continue;
      }
      soft = -log2_sum(c + j, m, new_f, log_a + from_a, n, slope, step[1]) / slope;
      marginal = weight * EXP2_WIDE((now - soft) * slope);
      error += missed(marginal, weight, now, step[5], step[7], slope);
      mass += marginal;
      new_g[j] = fmin(fmax((1 - omega) * now + omega * step[5] * soft, -step[7]), step[7]);
    }
    error = group_sum(shared, error);
    mass = group_sum(shared, mass);
    BARRIER_ALL();
    if (isfinite(error)) {
      made += 1;
      done = error <= step[3] || made >= limit;
      if (LOCAL_ID == 0) {
        figures[2 * problem] = error;
        figures[2 * problem + 1] = mass;
        flags[4 * problem] = done;
        flags[4 * problem + 1] = made;
      }
    } else {
      done = 1;
      if (LOCAL_ID == 0)
        flags[4 * problem] = flags[4 * problem + 2] = 1;
    }
  }
}
