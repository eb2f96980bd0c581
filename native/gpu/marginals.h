/* What a marginal is off: from its weight, from weight exp(-f/rho) where it is penalised (tau < 1), or in the one direction that is left at a bound. */
INLINE WIDE missed(WIDE marginal, WIDE weight, WIDE f, WIDE tau, WIDE bound, WIDE slope)
{
  if (f >= bound)
    return fmax(marginal - weight, (WIDE)0);
  if (f <= -bound)
    return fmax(weight - marginal, (WIDE)0);
  return fabs(marginal - (tau == 1 ? weight : weight * EXP2_WIDE(-f * slope * (1 - tau) / tau)));
}
