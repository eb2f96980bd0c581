/* The sweep of points.cl for dot products in many dimensions, made by tensor cores. CUDA only.
 *
 * A group takes 64 rows and sweeps a segment of the columns, a tile at a time; of 8 warps, 4 / M take 16 M rows each, times 2 M that take 16 columns each. The rows
 * of a warp stay in registers for the whole sweep where DEPTH coordinates are enough. While a tile is worked on, the next one comes.
 *
 * Points are stored as in points.cl, their heads first and their tails `d` coordinates later (TensorSplit); d is a multiple of 8. PRODUCTS 3: head by head, head by
 * tail and tail by head, which together have the accuracy of floats. PRODUCTS 1: heads alone, which have 10 bits. */
#include "language.h"
#include "reals.h"

#define TILE 64
#define DEPTH 64
#if PRODUCTS == 3
#define PARTS 2
#define M 1
#else
#define PARTS 1
#define M 2
#endif
#define COLUMNS (32 * M)
#define STRIDE (COLUMNS + 8) /* 4 coordinates of 8 columns lie in 32 banks */
#define BUFFER (PARTS * DEPTH * STRIDE)
#define SLOTS (8 * M) /* work items with a share in one row */

/* Sends for coordinates from .. from + DEPTH of a tile, 16 bytes at a time. */
INLINE void send_for(LOCAL float* tile, GLOBAL const float* y, int y_stride, int d, int column0, int from)
{
  int part, e;
  int depth = d - from < DEPTH ? d - from : DEPTH;
  for (part = 0; part < PARTS; part++)
    for (e = LOCAL_ID; e < depth * COLUMNS / 4; e += 256) {
      int k = e / (COLUMNS / 4), at = e % (COLUMNS / 4) * 4;
      COPY_16(tile + (part * DEPTH + k) * STRIDE + at, y + (long)(part * d + from + k) * y_stride + column0 + at);
    }
}

/* The rows of a warp as the tensor core wants them: item `lane` has rows lane / 4 and lane / 4 + 8, coordinates lane % 4 and lane % 4 + 4 of every 8. */
INLINE void hold_rows(float (*held)[DEPTH / 8][M][4], GLOBAL const float* x, int x_stride, int d, int row, int from)
{
  int lane = LOCAL_ID % 32, part, k, m;
  UNROLL for (part = 0; part < PARTS; part++)
    UNROLL for (k = 0; k < DEPTH / 8; k++)
      if (from + 8 * k < d)
        UNROLL for (m = 0; m < M; m++) {
          GLOBAL const float* p = x + (long)(part * d + from + 8 * k + lane % 4) * x_stride + row + 16 * m + lane / 4;
          held[part][k][m][0] = p[0];
          held[part][k][m][1] = p[8];
          held[part][k][m][2] = p[4 * (long)x_stride];
          held[part][k][m][3] = p[4 * (long)x_stride + 8];
        }
}

/* For every row of x: the maximum of t = bias + step[0] scale x.y over the columns of a segment, and the sum of 2^(t - maximum). */
KERNEL GROUP(256) void softmin(GLOBAL const float* x, GLOBAL const float* y, GLOBAL const float* bias, GLOBAL const WIDE* step, GLOBAL const int* flags,
                               GLOBAL float* tops, GLOBAL float* sums, WIDE scale, float power, float order, int x_stride, int y_stride, int d,
                               int segments, int segment_length, int first_group)
{
  SHARED ALIGNED_16 float buffers[2 * BUFFER];
  float held[PARTS][DEPTH / 8][M][4], dots[M][2][4], top[M][2], sum[M][2], lost[M][2], factor;
  int group, row0, start, stop, lane, row, columns, steps, tiles, tile, from, k, m, n, r;
  (void)power;
  (void)order;
  if (flags[0] != 0)
    return;
  factor = (float)(step[0] * scale);
  group = first_group + GROUP_ID;
  row0 = group / segments * TILE;
  start = group % segments * segment_length;
  stop = start + segment_length < y_stride ? start + segment_length : y_stride;
  lane = LOCAL_ID % 32;
  row = LOCAL_ID / 32 / (2 * M) * 16 * M;      /* the warp's first, in the group */
  columns = LOCAL_ID / 32 % (2 * M) * 16;      /* and its first column, in the tile */
  steps = (d + DEPTH - 1) / DEPTH;
  tiles = (stop - start) / COLUMNS * steps;
  UNROLL for (m = 0; m < M; m++)
    UNROLL for (r = 0; r < 2; r++) {
      top[m][r] = -REAL_MAX;
      sum[m][r] = lost[m][r] = 0;
    }
  if (tiles > 0)
    send_for(buffers, y, y_stride, d, start, 0);
  for (tile = 0, from = 0; tile < tiles; tile++) {
    int column0 = start + tile / steps * COLUMNS;
    LOCAL const float* ys = buffers + tile % 2 * BUFFER;
    COPIES_HAVE_COME();
    BARRIER(); /* the copies of all have come, and the tile before has been read */
    if (tile + 1 < tiles)
      send_for(buffers + (tile + 1) % 2 * BUFFER, y, y_stride, d, start + (tile + 1) / steps * COLUMNS, (tile + 1) % steps * DEPTH);
    if (tile == 0 || steps > 1)
      hold_rows(held, x, x_stride, d, row0 + row, from);
    if (from == 0)
      UNROLL for (m = 0; m < M; m++)
        UNROLL for (n = 0; n < 2; n++)
          UNROLL for (r = 0; r < 4; r++)
            dots[m][n][r] = 0;
    UNROLL for (k = 0; k < DEPTH / 8; k++)
      if (from + 8 * k < d)
        UNROLL for (n = 0; n < 2; n++) {
          LOCAL const float* p = ys + (8 * k + lane % 4) * STRIDE + columns + 8 * n + lane / 4;
          float b0 = p[0], b1 = p[4 * STRIDE];
          UNROLL for (m = 0; m < M; m++) {
#if PRODUCTS == 3
            LOCAL const float* q = p + DEPTH * STRIDE;
            MULTIPLY_ADD_TF32(dots[m][n], held[0][k][m], q[0], q[4 * STRIDE]);
            MULTIPLY_ADD_TF32(dots[m][n], held[1][k][m], b0, b1);
#endif
            MULTIPLY_ADD_TF32(dots[m][n], held[0][k][m], b0, b1);
          }
        }
    from += DEPTH;
    if (from < d)
      continue;
    from = 0;
    /* dots[m][n][0..1]: row lane / 4, columns 8 n + 2 (lane % 4) + 0..1; dots[m][n][2..3]: the same 8 rows on. */
    {
      GLOBAL const float* b = bias + column0 + columns + 2 * (lane % 4);
      float b0 = b[0], b1 = b[1], b2 = b[8], b3 = b[9];
      UNROLL for (m = 0; m < M; m++)
        UNROLL for (r = 0; r < 2; r++) {
          float t0 = fma(factor, dots[m][0][2 * r], b0), t1 = fma(factor, dots[m][0][2 * r + 1], b1);
          float t2 = fma(factor, dots[m][1][2 * r], b2), t3 = fma(factor, dots[m][1][2 * r + 1], b3);
          ADD_EXPONENTIALS(top[m][r], sum[m][r], lost[m][r], t0, t1, t2, t3);
        }
    }
  }
  BARRIER();
  UNROLL for (m = 0; m < M; m++)
    UNROLL for (r = 0; r < 2; r++) {
      int slot = (columns / 16 * 4 + lane % 4) * TILE + row + 16 * m + 8 * r + lane / 4;
      buffers[slot] = top[m][r];
      buffers[SLOTS * TILE + slot] = sum[m][r] - lost[m][r];
    }
  BARRIER();
  if (LOCAL_ID < TILE) {
    float most = -REAL_MAX, total = 0;
    for (r = 0; r < SLOTS; r++)
      most = fmax(most, buffers[r * TILE + LOCAL_ID]);
    for (r = 0; r < SLOTS; r++)
      total += buffers[(SLOTS + r) * TILE + LOCAL_ID] * EXP2(buffers[r * TILE + LOCAL_ID] - most);
    tops[(long)(group % segments) * x_stride + row0 + LOCAL_ID] = most;
    sums[(long)(group % segments) * x_stride + row0 + LOCAL_ID] = total;
  }
}
