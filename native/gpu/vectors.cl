/* What costs O(n + m): biases, potentials from partial sums, errors and the decision to stop. One work item per entry, unless said otherwise.
 * When all is done, kernels of an iteration change nothing; their work items still meet at every barrier.
 *
 * step: [0] log2(e)/eps, [1] log2(e), [2] omega, [3] tolerance, [4] tau_a, [5] tau_b, [6] bound_a, [7] bound_b; for hard minima [0] is 1 and [1] is 0.
 * flags: [0] all is done, [1] iterations made, [2] a value was not finite, [3] iterations to make. */
#include "language.h"
#include "reals.h"
#include "marginals.h"

/* bias = step[0] (potential - norm) + log2 weight; minus infinity where there is no weight, and from n on. */
INLINE REAL bias_of(WIDE potential, WIDE norm, WIDE log, GLOBAL const WIDE* step)
{
  return log == -INFINITY ? (REAL)-INFINITY : (REAL)fma(step[0], potential - norm, step[1] * log);
}

KERNEL GROUP(256) void make_bias(GLOBAL const WIDE* potential, GLOBAL const WIDE* logs, GLOBAL const WIDE* norms, GLOBAL const WIDE* step,
                                 GLOBAL REAL* bias, int n, int padded, int has_norms)
{
  int i = GROUP_ID * 256 + LOCAL_ID;
  if (i < n)
    bias[i] = bias_of(potential[i], has_norms ? norms[i] : 0, logs[i], step);
  else if (i < padded)
    bias[i] = -INFINITY;
}

/* Soft or hard minimum of an entry from what the segments found: norm - log2(sum of 2^t) / step[0], or norm - max t. */
INLINE WIDE minimum(GLOBAL const REAL* tops, GLOBAL const REAL* sums, int stride, int segments, int i, int hard, WIDE norm, WIDE slope)
{
  REAL top = -REAL_MAX;
  WIDE total = 0;
  int s;
  for (s = 0; s < segments; s++)
    top = fmax(top, tops[(long)s * stride + i]);
  for (s = 0; s < segments; s++)
    total += (WIDE)sums[(long)s * stride + i] * EXP2_WIDE((WIDE)tops[(long)s * stride + i] - (WIDE)top);
  if (hard)
    return total == 0 ? (WIDE)INFINITY : norm - (WIDE)top;
  return norm - ((WIDE)top + LOG2_WIDE(total)) / slope;
}

KERNEL GROUP(256) void read_minimum(GLOBAL const REAL* tops, GLOBAL const REAL* sums, GLOBAL const WIDE* norms, GLOBAL const WIDE* step, GLOBAL WIDE* out,
                                    int n, int stride, int segments, int has_norms, int hard)
{
  int i = GROUP_ID * 256 + LOCAL_ID;
  if (i < n)
    out[i] = minimum(tops, sums, stride, segments, i, hard, has_norms ? norms[i] : 0, step[0]);
}

/* The sum of a value over the group, as a tree, in item 0. All items come here together. */
INLINE WIDE group_sum(LOCAL WIDE* shared, WIDE value)
{
  int width;
  BARRIER();
  shared[LOCAL_ID] = value;
  for (width = 128; width > 0; width /= 2) {
    BARRIER();
    if (LOCAL_ID < width)
      shared[LOCAL_ID] += shared[LOCAL_ID + width];
  }
  return shared[0];
}

/* The next potential of one side, its bias for the sweep of the other, and per group what its marginal is off and its mass.
 * Rows (columns = 0): the marginal is that of the new potential, and exact unless omega is not 1. Columns: that of the old one, and no weight means no change. */
KERNEL GROUP(256) void update(GLOBAL const REAL* tops, GLOBAL const REAL* sums, GLOBAL const WIDE* norms, GLOBAL const WIDE* weights, GLOBAL const WIDE* logs,
                              GLOBAL const WIDE* old, GLOBAL const WIDE* step, GLOBAL const int* flags, GLOBAL WIDE* next, GLOBAL REAL* bias,
                              GLOBAL WIDE* errors, GLOBAL WIDE* masses, int n, int stride, int segments, int has_norms, int columns)
{
  SHARED WIDE shared[256];
  WIDE error = 0, mass = 0;
  int idle = flags[0], i = GROUP_ID * 256 + LOCAL_ID;
  if (i < n && !idle) {
    WIDE slope = step[0], omega = step[2], tau = step[4 + columns], bound = step[6 + columns], weight = weights[i], norm = has_norms ? norms[i] : 0;
    WIDE soft = minimum(tops, sums, stride, segments, i, 0, norm, slope), now = old[i], f;
    if (columns ? weight == 0 : !isfinite(soft))
      f = columns ? now : 0;
    else
      f = fmin(fmax((1 - omega) * now + omega * tau * soft, -bound), bound);
    if (weight != 0 && (columns || omega != 1)) {
      WIDE seen = columns ? now : f;
      mass = weight * EXP2_WIDE((seen - soft) * slope);
      error = missed(mass, weight, seen, tau, bound, slope);
    }
    next[i] = f;
    bias[i] = bias_of(f, norm, logs[i], step);
  }
  error = group_sum(shared, error);
  if (LOCAL_ID == 0 && !idle)
    errors[GROUP_ID] = error;
  mass = group_sum(shared, mass);
  if (LOCAL_ID == 0 && !idle)
    masses[GROUP_ID] = mass;
}

/* One group: adds up the errors, and decides. figures: [0] error, [1] mass of the plan it belongs to. */
KERNEL GROUP(256) void judge(GLOBAL const WIDE* row_errors, GLOBAL const WIDE* column_errors, GLOBAL const WIDE* masses, GLOBAL const WIDE* step,
                             GLOBAL int* flags, GLOBAL WIDE* figures, int row_groups, int column_groups)
{
  SHARED WIDE shared[256];
  WIDE error = 0, mass = 0;
  int e;
  for (e = LOCAL_ID; e < row_groups; e += 256)
    error += row_errors[e];
  for (e = LOCAL_ID; e < column_groups; e += 256) {
    error += column_errors[e];
    mass += masses[e];
  }
  error = group_sum(shared, error);
  mass = group_sum(shared, mass);
  if (LOCAL_ID == 0 && flags[0] == 0) {
    if (isfinite(error)) {
      figures[0] = error;
      figures[1] = mass;
      flags[1] += 1;
      flags[0] = error <= step[3] || flags[1] >= flags[3];
    } else
      flags[0] = flags[2] = 1;
  }
}

/* out[v n + i] = sum over segments of partial[(s width + v) stride + i], for the first `count` of `width` vectors. */
KERNEL GROUP(256) void sum_segments(GLOBAL const REAL* partial, GLOBAL WIDE* out, int n, int stride, int segments, int width, int count)
{
  int i = GROUP_ID * 256 + LOCAL_ID, v, s;
  if (i >= n)
    return;
  for (v = 0; v < count; v++) {
    WIDE total = 0;
    for (s = 0; s < segments; s++)
      total += (WIDE)partial[((long)s * width + v) * stride + i];
    out[(long)v * n + i] = total;
  }
}
