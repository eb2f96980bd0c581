/* Costs between points, made where they are needed. A group takes 64 rows and sweeps a segment of the columns, 64 at a time: each of its 256 work items makes the
 * costs of 4 x 4 pairs, rows ty + 16 r and columns tx + 16 c, and keeps running values of its 4 rows; only at the end are the 16 items of a row brought together.
 * Coordinates are stored one after another, points padded with zeros to whole tiles; a bias of minus infinity takes a column out.
 *
 * COST: 1 dot product (the norms are in the biases), 2 squared differences, 3 Euclidean, 4 city block, 5 Chebyshev, 6 Minkowski of order `order`;
 * all but the first raised to `power` afterwards. */
#include "language.h"
#include "reals.h"

#if COST < 1 || COST > 6
#error "COST is none of those above"
#endif

#define TILE 64
#define CHUNK 16
#if REAL_IS_DOUBLE
#define HELD 32
#else
#define HELD 64
#endif

/* One coordinate's share in what a pair has gathered: one number, or for Minkowski the largest difference and the sum of powers in its units. */
INLINE void gather(REAL x, REAL y, REAL order, REAL* first, REAL* second)
{
#if COST == 1
  *first = fma(x, y, *first);
#elif COST == 2 || COST == 3
  REAL d = x - y;
  *first = fma(d, d, *first);
#elif COST == 4
  *first += fabs(x - y);
#elif COST == 5
  *first = fmax(*first, fabs(x - y));
#else
  REAL d = fabs(x - y);
  if (d > *first) {
    *second = fma(*second, power_of(*first / d, order), (REAL)1);
    *first = d;
  } else if (d > 0)
    *second += power_of(d / *first, order);
#endif
}

/* The cost of a pair from what it gathered, in units of the clouds. */
INLINE REAL cost_of(REAL first, REAL second, REAL power, REAL order)
{
#if COST == 1
  return first;
#else
  REAL cost;
#if COST == 3
  cost = sqrt(first);
#elif COST == 6
  cost = first * power_of(second, 1 / order);
#else
  cost = first;
#endif
  return power == 1 ? cost : power_of(cost, power);
#endif
}

/* Holds the rows of a group for the whole sweep, where they have few enough coordinates. */
INLINE void hold_rows(GLOBAL const REAL* x, int stride, int d, int row0, LOCAL REAL* xs)
{
  int e;
  if (d <= HELD)
    for (e = LOCAL_ID; e < d * TILE; e += 256)
      xs[e] = x[(long)(e / TILE) * stride + row0 + e % TILE];
}

/* Costs of 16 pairs per work item. All items of the group come here together. */
INLINE void tile_costs(GLOBAL const REAL* x, GLOBAL const REAL* y, int x_stride, int y_stride, int d, int row0, int column0, REAL power, REAL order,
                       LOCAL REAL* xs, LOCAL REAL* ys, REAL* costs)
{
  REAL second[16];
  int tx = LOCAL_ID % 16, ty = LOCAL_ID / 16, from, e, k, r, c;
  UNROLL for (e = 0; e < 16; e++)
    costs[e] = second[e] = 0;
  for (from = 0; from < d; from += CHUNK) {
    int count = d - from < CHUNK ? d - from : CHUNK;
    int held = d <= HELD ? from * TILE : 0;
    BARRIER(); /* the chunk before has been read */
    for (e = LOCAL_ID; e < count * TILE; e += 256) {
      ys[e] = y[(long)(from + e / TILE) * y_stride + column0 + e % TILE];
      if (d > HELD)
        xs[e] = x[(long)(from + e / TILE) * x_stride + row0 + e % TILE];
    }
    BARRIER();
    for (k = 0; k < count; k++) {
      REAL a[4], b[4];
      UNROLL for (r = 0; r < 4; r++)
        a[r] = xs[held + k * TILE + ty + 16 * r];
      UNROLL for (c = 0; c < 4; c++)
        b[c] = ys[k * TILE + tx + 16 * c];
      UNROLL for (r = 0; r < 4; r++)
        UNROLL for (c = 0; c < 4; c++)
          gather(a[r], b[c], order, &costs[4 * r + c], &second[4 * r + c]);
    }
  }
  UNROLL for (e = 0; e < 16; e++)
    costs[e] = cost_of(costs[e], second[e], power, order);
}

/* For every row of x: the maximum of t = bias + step[0] scale c over the columns of a segment, and the sum of 2^(t - maximum). */
KERNEL GROUP(256) void softmin(GLOBAL const REAL* x, GLOBAL const REAL* y, GLOBAL const REAL* bias, GLOBAL const WIDE* step, GLOBAL const int* flags,
                               GLOBAL REAL* tops, GLOBAL REAL* sums, WIDE scale, REAL power, REAL order, int x_stride, int y_stride, int d, int segments,
                               int segment_length, int first_group)
{
  SHARED REAL xs[HELD * TILE];
  SHARED REAL ys[CHUNK * TILE];
  REAL costs[16], top[4], sum[4], lost[4];
  REAL factor;
  int idle = flags[0], group, row0, start, stop, column0, tx, ty, r;
  factor = (REAL)(step[0] * scale);
  group = first_group + GROUP_ID;
  row0 = group / segments * TILE;
  start = group % segments * segment_length;
  stop = idle ? start : (start + segment_length < y_stride ? start + segment_length : y_stride);
  tx = LOCAL_ID % 16;
  ty = LOCAL_ID / 16;
  UNROLL for (r = 0; r < 4; r++) {
    top[r] = -REAL_MAX;
    sum[r] = lost[r] = 0;
  }
  hold_rows(x, x_stride, d, row0, xs);
  for (column0 = start; column0 < stop; column0 += TILE) {
    tile_costs(x, y, x_stride, y_stride, d, row0, column0, power, order, xs, ys, costs);
    UNROLL for (r = 0; r < 4; r++) {
      REAL t0 = fma(factor, costs[4 * r], bias[column0 + tx]);
      REAL t1 = fma(factor, costs[4 * r + 1], bias[column0 + tx + 16]);
      REAL t2 = fma(factor, costs[4 * r + 2], bias[column0 + tx + 32]);
      REAL t3 = fma(factor, costs[4 * r + 3], bias[column0 + tx + 48]);
      ADD_EXPONENTIALS(top[r], sum[r], lost[r], t0, t1, t2, t3);
    }
  }
  BARRIER();
  UNROLL for (r = 0; r < 4; r++) {
    xs[tx * TILE + ty + 16 * r] = top[r];
    xs[(16 + tx) * TILE + ty + 16 * r] = sum[r] - lost[r];
  }
  BARRIER();
  if (LOCAL_ID < TILE && !idle) {
    REAL most = -REAL_MAX, total = 0;
    UNROLL for (r = 0; r < 16; r++)
      most = fmax(most, xs[r * TILE + LOCAL_ID]);
    UNROLL for (r = 0; r < 16; r++)
      total += xs[(16 + r) * TILE + LOCAL_ID] * EXP2(xs[r * TILE + LOCAL_ID] - most);
    tops[(long)(group % segments) * x_stride + row0 + LOCAL_ID] = most;
    sums[(long)(group % segments) * x_stride + row0 + LOCAL_ID] = total;
  }
}

#if COST != 1

/* Brings together what the 16 work items of a row have summed, and writes it to `out`. All items of the group come here together. */
INLINE void write_rows(LOCAL REAL* shared, const REAL* values, GLOBAL REAL* out)
{
  int tx = LOCAL_ID % 16, ty = LOCAL_ID / 16, r;
  BARRIER();
  UNROLL for (r = 0; r < 4; r++)
    shared[tx * TILE + ty + 16 * r] = values[r];
  BARRIER();
  if (LOCAL_ID < TILE) {
    REAL total = 0;
    UNROLL for (r = 0; r < 16; r++)
      total += shared[r * TILE + LOCAL_ID];
    out[LOCAL_ID] = total;
  }
}

/* For every row of x: sums of P v over a segment for four vectors v, where P = 2^(own + bias + step[0] scale c). */
KERNEL GROUP(256) void plan_apply(GLOBAL const REAL* x, GLOBAL const REAL* y, GLOBAL const REAL* own, GLOBAL const REAL* bias, GLOBAL const REAL* vectors,
                             GLOBAL const WIDE* step, GLOBAL REAL* out, WIDE scale, REAL power, REAL order, int x_stride, int y_stride, int d, int segments,
                             int segment_length, int first_group)
{
  SHARED REAL xs[HELD * TILE];
  SHARED REAL ys[CHUNK * TILE];
  REAL costs[16], sum[16], lost[16];
  REAL factor = (REAL)(step[0] * scale);
  int group = first_group + GROUP_ID;
  int row0 = group / segments * TILE;
  int start = group % segments * segment_length;
  int stop = start + segment_length < y_stride ? start + segment_length : y_stride;
  int tx = LOCAL_ID % 16, ty = LOCAL_ID / 16, column0, r, c, v;
  UNROLL for (r = 0; r < 16; r++)
    sum[r] = lost[r] = 0;
  hold_rows(x, x_stride, d, row0, xs);
  for (column0 = start; column0 < stop; column0 += TILE) {
    tile_costs(x, y, x_stride, y_stride, d, row0, column0, power, order, xs, ys, costs);
    UNROLL for (r = 0; r < 4; r++) {
      REAL mine = own[row0 + ty + 16 * r];
      UNROLL for (c = 0; c < 4; c++)
        costs[4 * r + c] = EXP2(fma(factor, costs[4 * r + c], mine) + bias[column0 + tx + 16 * c]);
    }
    UNROLL for (v = 0; v < 4; v++) {
      GLOBAL const REAL* vector = vectors + (long)v * y_stride + column0 + tx;
      UNROLL for (r = 0; r < 4; r++)
        ADD(sum[4 * v + r], lost[4 * v + r],
            (costs[4 * r] * vector[0] + costs[4 * r + 1] * vector[16]) + (costs[4 * r + 2] * vector[32] + costs[4 * r + 3] * vector[48]));
    }
  }
  UNROLL for (v = 0; v < 4; v++)
    write_rows(ys, sum + 4 * v, out + ((long)(group % segments) * 4 + v) * x_stride + row0);
}

/* For every row of x: sums of P and of P c over a segment, P as above and c in cost units. */
KERNEL GROUP(256) void plan_cost(GLOBAL const REAL* x, GLOBAL const REAL* y, GLOBAL const REAL* own, GLOBAL const REAL* bias, GLOBAL const WIDE* step,
                            GLOBAL REAL* out, WIDE scale, REAL power, REAL order, int x_stride, int y_stride, int d, int segments, int segment_length,
                            int first_group)
{
  SHARED REAL xs[HELD * TILE];
  SHARED REAL ys[CHUNK * TILE];
  REAL costs[16], mass[4], cost[4], lost_mass[4], lost_cost[4];
  REAL factor = (REAL)(step[0] * scale), unit = (REAL)(-scale);
  int group = first_group + GROUP_ID;
  int row0 = group / segments * TILE;
  int start = group % segments * segment_length;
  int stop = start + segment_length < y_stride ? start + segment_length : y_stride;
  int tx = LOCAL_ID % 16, ty = LOCAL_ID / 16, column0, r, c;
  UNROLL for (r = 0; r < 4; r++)
    mass[r] = cost[r] = lost_mass[r] = lost_cost[r] = 0;
  hold_rows(x, x_stride, d, row0, xs);
  for (column0 = start; column0 < stop; column0 += TILE) {
    tile_costs(x, y, x_stride, y_stride, d, row0, column0, power, order, xs, ys, costs);
    UNROLL for (r = 0; r < 4; r++) {
      REAL mine = own[row0 + ty + 16 * r], p[4];
      UNROLL for (c = 0; c < 4; c++)
        p[c] = EXP2(fma(factor, costs[4 * r + c], mine) + bias[column0 + tx + 16 * c]);
      ADD(mass[r], lost_mass[r], (p[0] + p[1]) + (p[2] + p[3]));
      ADD(cost[r], lost_cost[r],
          unit * ((p[0] * costs[4 * r] + p[1] * costs[4 * r + 1]) + (p[2] * costs[4 * r + 2] + p[3] * costs[4 * r + 3])));
    }
  }
  write_rows(ys, mass, out + (long)(group % segments) * 2 * x_stride + row0);
  write_rows(ys, cost, out + ((long)(group % segments) * 2 + 1) * x_stride + row0);
}

#endif
