/* Stored costs, row after row; an infinite one forbids its pair. Rows: a group takes 4 of them and a segment of the columns, one column per work item and step.
 * Columns: a group takes 256 of them and a segment of the rows, a column per work item. */
#include "language.h"
#include "reals.h"

#define ROWS 4

/* The maximum, over a group, of what each item has found. All items come here together. */
INLINE REAL group_max(LOCAL REAL* shared, REAL value)
{
  int width;
  BARRIER();
  shared[LOCAL_ID] = value;
  for (width = 128; width > 0; width /= 2) {
    BARRIER();
    if (LOCAL_ID < width)
      shared[LOCAL_ID] = fmax(shared[LOCAL_ID], shared[LOCAL_ID + width]);
  }
  BARRIER();
  return shared[0];
}

/* The sum likewise, as a tree. */
INLINE REAL group_sum(LOCAL REAL* shared, REAL value)
{
  int width;
  BARRIER();
  shared[LOCAL_ID] = value;
  for (width = 128; width > 0; width /= 2) {
    BARRIER();
    if (LOCAL_ID < width)
      shared[LOCAL_ID] += shared[LOCAL_ID + width];
  }
  BARRIER();
  return shared[0];
}

/* As softmin in points.cl, for rows. */
KERNEL GROUP(256) void softmin_rows(GLOBAL const STORED* costs, GLOBAL const REAL* bias, GLOBAL const WIDE* step, GLOBAL const int* flags, GLOBAL REAL* tops,
                                    GLOBAL REAL* sums, int rows, int columns, int stride, int segments, int segment_length, int first_group)
{
  SHARED REAL shared[256];
  REAL factor, top[ROWS], sum[ROWS], lost[ROWS];
  int idle = flags[0], group, row0, start, stop, j, r;
  factor = (REAL)-step[0];
  group = first_group + GROUP_ID;
  row0 = group / segments * ROWS;
  start = group % segments * segment_length;
  stop = idle ? start : (start + segment_length < columns ? start + segment_length : columns);
  UNROLL for (r = 0; r < ROWS; r++) {
    top[r] = -REAL_MAX;
    sum[r] = lost[r] = 0;
  }
  for (j = start + LOCAL_ID; j < stop; j += 1024) {
    REAL b0 = bias[j], b1 = j + 256 < stop ? bias[j + 256] : -INFINITY;
    REAL b2 = j + 512 < stop ? bias[j + 512] : -INFINITY, b3 = j + 768 < stop ? bias[j + 768] : -INFINITY;
    UNROLL for (r = 0; r < ROWS; r++) {
      int i = row0 + r < rows ? row0 + r : rows - 1; /* a row that does not exist repeats the last */
      GLOBAL const STORED* row = costs + (long)i * columns + j;
      REAL t0 = fma(factor, (REAL)row[0], b0);
      REAL t1 = j + 256 < stop ? fma(factor, (REAL)row[256], b1) : -INFINITY;
      REAL t2 = j + 512 < stop ? fma(factor, (REAL)row[512], b2) : -INFINITY;
      REAL t3 = j + 768 < stop ? fma(factor, (REAL)row[768], b3) : -INFINITY;
      ADD_EXPONENTIALS(top[r], sum[r], lost[r], t0, t1, t2, t3);
    }
  }
  UNROLL for (r = 0; r < ROWS; r++) {
    REAL most = group_max(shared, top[r]);
    REAL total = group_sum(shared, (sum[r] - lost[r]) * EXP2(top[r] - most));
    if (LOCAL_ID == 0 && row0 + r < rows && !idle) {
      tops[(long)(group % segments) * stride + row0 + r] = most;
      sums[(long)(group % segments) * stride + row0 + r] = total;
    }
  }
}

/* As softmin in points.cl, for columns. */
KERNEL GROUP(256) void softmin_columns(GLOBAL const STORED* costs, GLOBAL const REAL* bias, GLOBAL const WIDE* step, GLOBAL const int* flags,
                                       GLOBAL REAL* tops, GLOBAL REAL* sums, int rows, int columns, int stride, int segments, int segment_length,
                                       int first_group)
{
  REAL factor, top = -REAL_MAX, sum = 0, lost = 0;
  int idle = flags[0], group, column, start, stop, i;
  factor = (REAL)-step[0];
  group = first_group + GROUP_ID;
  column = group / segments * 256 + LOCAL_ID;
  start = group % segments * segment_length;
  stop = start + segment_length < rows ? start + segment_length : rows;
  if (column < columns && !idle) {
    GLOBAL const STORED* at = costs + (long)start * columns + column;
    for (i = start; i < stop; i += 4) {
      REAL t0 = fma(factor, (REAL)at[0], bias[i]);
      REAL t1 = i + 1 < stop ? fma(factor, (REAL)at[columns], bias[i + 1]) : -INFINITY;
      REAL t2 = i + 2 < stop ? fma(factor, (REAL)at[2 * (long)columns], bias[i + 2]) : -INFINITY;
      REAL t3 = i + 3 < stop ? fma(factor, (REAL)at[3 * (long)columns], bias[i + 3]) : -INFINITY;
      ADD_EXPONENTIALS(top, sum, lost, t0, t1, t2, t3);
      at += 4 * (long)columns;
    }
    tops[(long)(group % segments) * stride + column] = top;
    sums[(long)(group % segments) * stride + column] = sum - lost;
  }
}

/* As plan_apply in points.cl, for rows. */
KERNEL GROUP(256) void plan_apply_rows(GLOBAL const STORED* costs, GLOBAL const REAL* own, GLOBAL const REAL* bias, GLOBAL const REAL* vectors,
                                  GLOBAL const WIDE* step, GLOBAL REAL* out, int rows, int columns, int stride, int vector_stride, int segments,
                                  int segment_length, int first_group)
{
  SHARED REAL shared[256];
  REAL factor = (REAL)-step[0], sum[4 * ROWS], lost[4 * ROWS];
  int group = first_group + GROUP_ID;
  int row0 = group / segments * ROWS;
  int start = group % segments * segment_length;
  int stop = start + segment_length < columns ? start + segment_length : columns;
  int j, r, v;
  UNROLL for (r = 0; r < 4 * ROWS; r++)
    sum[r] = lost[r] = 0;
  for (j = start + LOCAL_ID; j < stop; j += 256) {
    UNROLL for (r = 0; r < ROWS; r++) {
      int i = row0 + r < rows ? row0 + r : rows - 1;
      REAL p = EXP2(fma(factor, (REAL)costs[(long)i * columns + j], own[i]) + bias[j]);
      UNROLL for (v = 0; v < 4; v++)
        ADD(sum[4 * v + r], lost[4 * v + r], p * vectors[(long)v * vector_stride + j]);
    }
  }
  UNROLL for (v = 0; v < 4; v++) {
    UNROLL for (r = 0; r < ROWS; r++) {
      REAL total = group_sum(shared, sum[4 * v + r] - lost[4 * v + r]);
      if (LOCAL_ID == 0 && row0 + r < rows)
        out[((long)(group % segments) * 4 + v) * stride + row0 + r] = total;
    }
  }
}

/* As plan_apply in points.cl, for columns. */
KERNEL GROUP(256) void plan_apply_columns(GLOBAL const STORED* costs, GLOBAL const REAL* own, GLOBAL const REAL* bias, GLOBAL const REAL* vectors,
                                     GLOBAL const WIDE* step, GLOBAL REAL* out, int rows, int columns, int stride, int vector_stride, int segments,
                                     int segment_length, int first_group)
{
  REAL factor = (REAL)-step[0], sum[4], lost[4];
  int group = first_group + GROUP_ID;
  int column = group / segments * 256 + LOCAL_ID;
  int start = group % segments * segment_length;
  int stop = start + segment_length < rows ? start + segment_length : rows;
  int i, v;
  UNROLL for (v = 0; v < 4; v++)
    sum[v] = lost[v] = 0;
  if (column < columns) {
    for (i = start; i < stop; i++) {
      REAL p = EXP2(fma(factor, (REAL)costs[(long)i * columns + column], own[column]) + bias[i]);
      UNROLL for (v = 0; v < 4; v++)
        ADD(sum[v], lost[v], p * vectors[(long)v * vector_stride + i]);
    }
    UNROLL for (v = 0; v < 4; v++)
      out[((long)(group % segments) * 4 + v) * stride + column] = sum[v] - lost[v];
  }
}

/* As plan_cost in points.cl. A pair without mass costs nothing, be it forbidden. */
KERNEL GROUP(256) void plan_cost_rows(GLOBAL const STORED* costs, GLOBAL const REAL* own, GLOBAL const REAL* bias, GLOBAL const WIDE* step, GLOBAL REAL* out,
                                 int rows, int columns, int stride, int segments, int segment_length, int first_group)
{
  SHARED REAL shared[256];
  REAL factor = (REAL)-step[0], mass[ROWS], cost[ROWS], lost_mass[ROWS], lost_cost[ROWS];
  int group = first_group + GROUP_ID;
  int row0 = group / segments * ROWS;
  int start = group % segments * segment_length;
  int stop = start + segment_length < columns ? start + segment_length : columns;
  int j, r;
  UNROLL for (r = 0; r < ROWS; r++)
    mass[r] = cost[r] = lost_mass[r] = lost_cost[r] = 0;
  for (j = start + LOCAL_ID; j < stop; j += 256) {
    UNROLL for (r = 0; r < ROWS; r++) {
      int i = row0 + r < rows ? row0 + r : rows - 1;
      REAL c = (REAL)costs[(long)i * columns + j];
      REAL p = EXP2(fma(factor, c, own[i]) + bias[j]);
      ADD(mass[r], lost_mass[r], p);
      ADD(cost[r], lost_cost[r], p > 0 ? p * c : (REAL)0);
    }
  }
  UNROLL for (r = 0; r < ROWS; r++) {
    REAL total_mass = group_sum(shared, mass[r] - lost_mass[r]);
    REAL total_cost = group_sum(shared, cost[r] - lost_cost[r]);
    if (LOCAL_ID == 0 && row0 + r < rows) {
      out[(long)(group % segments) * 2 * stride + row0 + r] = total_mass;
      out[((long)(group % segments) * 2 + 1) * stride + row0 + r] = total_cost;
    }
  }
}
