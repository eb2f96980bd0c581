/* Powers of two, logarithms and compensated sums in REAL and WIDE. Those of doubles are our own: every language has the same, with no library behind it. */

/* 2^x within 1e-16 of itself; 0 below the normal range. */
#if REAL_IS_DOUBLE || WIDE_IS_DOUBLE
INLINE double exp2_double(double x)
{
  double whole, r, p;
  int n;
  if (x < -1022.0)
    return 0.0;
  if (!(x < 1024.0))
    return x * 1e308; /* infinity, or what is no number */
  whole = floor(x + 0.5);
  r = x - whole;
  /* (2^r - 1) / r interpolated at the Chebyshev nodes of [-1/2, 1/2] */
  p = 4.4549605981865186e-10;
  p = fma(p, r, 7.072585949269223e-09);
  p = fma(p, r, 1.0178062445845774e-07);
  p = fma(p, r, 1.321544258792169e-06);
  p = fma(p, r, 1.525273382983612e-05);
  p = fma(p, r, 0.0001540353044173605);
  p = fma(p, r, 0.0013333558146416936);
  p = fma(p, r, 0.009618129107606888);
  p = fma(p, r, 0.0555041086648216);
  p = fma(p, r, 0.24022650695910097);
  p = fma(p, r, 0.6931471805599453);
  p = fma(p, r, 1.0);
  n = (int)whole;
  if (n > 1023) /* 2^1024 / 2 is in range, its factor is not */
    return 2.0 * p * DOUBLE_OF_BITS((long)2046 << 52);
  return p * DOUBLE_OF_BITS((long)(n + 1023) << 52);
}

/* log2 x within two roundings; minus infinity at 0. */
INLINE double log2_double(double x)
{
  long bits;
  int exponent = 0;
  double mantissa, s, t, p;
  if (!(x > 0.0) || !isfinite(x))
    return x == 0.0 ? -INFINITY : (x > 0.0 ? x : NAN);
  if (x < 2.2250738585072014e-308) {
    x *= 18014398509481984.0;
    exponent = -54;
  }
  bits = BITS_OF_DOUBLE(x);
  exponent += (int)(bits >> 52) - 1023;
  mantissa = DOUBLE_OF_BITS((bits & 0x000FFFFFFFFFFFFFL) | 0x3FF0000000000000L);
  if (mantissa > 1.4142135623730951) {
    mantissa *= 0.5;
    exponent += 1;
  }
  /* log m = 2 (s + s^3/3 + s^5/5 + ...) with s = (m - 1) / (m + 1), at most 0.1716 */
  s = (mantissa - 1.0) / (mantissa + 1.0);
  t = s * s;
  p = 1.0 / 21.0;
  p = fma(p, t, 1.0 / 19.0);
  p = fma(p, t, 1.0 / 17.0);
  p = fma(p, t, 1.0 / 15.0);
  p = fma(p, t, 1.0 / 13.0);
  p = fma(p, t, 1.0 / 11.0);
  p = fma(p, t, 1.0 / 9.0);
  p = fma(p, t, 1.0 / 7.0);
  p = fma(p, t, 1.0 / 5.0);
  p = fma(p, t, 1.0 / 3.0);
  p = fma(p * t, s, s);
  return fma(p, 2.8853900817779268, (double)exponent);
}
#endif

#if REAL_IS_DOUBLE
#define EXP2(x) exp2_double(x)
#define LOG2(x) log2_double(x)
#else
#define EXP2(x) EXP2_FLOAT(x)
#define LOG2(x) LOG2_FLOAT(x)
#endif
#if WIDE_IS_DOUBLE
#define EXP2_WIDE(x) exp2_double(x)
#define LOG2_WIDE(x) log2_double(x)
#else
#define EXP2_WIDE(x) EXP2_FLOAT(x)
#define LOG2_WIDE(x) LOG2_FLOAT(x)
#endif

/* base^exponent for a base of 0 or more. */
INLINE REAL power_of(REAL base, REAL exponent) { return base > 0 ? EXP2(exponent * LOG2(base)) : (REAL)0; }

/* sum += term; floats keep what rounding took, to give it back with the next term (Kahan), doubles need no such care. */
#if REAL_IS_DOUBLE
#define ADD(sum, lost, term) (sum) += (term)
#else
#define ADD(sum, lost, term)          \
  do {                                \
    REAL add_term = (term) - (lost);  \
    REAL add_sum = (sum) + add_term;  \
    (lost) = (add_sum - (sum)) - add_term; \
    (sum) = add_sum;                  \
  } while (0)
#endif

/* A running maximum with the sum of 2^(t - maximum), over four terms more. */
#define ADD_EXPONENTIALS(top, sum, lost, t0, t1, t2, t3)                                              \
  do {                                                                                                \
    REAL most = fmax(fmax(t0, t1), fmax(t2, t3));                                                     \
    if (most > (top)) {                                                                               \
      REAL shrink = EXP2((top) - most);                                                               \
      (sum) *= shrink;                                                                                \
      (lost) *= shrink;                                                                               \
      (top) = most;                                                                                   \
    }                                                                                                 \
    ADD(sum, lost, (EXP2((t0) - (top)) + EXP2((t1) - (top))) + (EXP2((t2) - (top)) + EXP2((t3) - (top)))); \
  } while (0)
