namespace OT.Solvers.Entropic;

/// <summary>Chooses the over-relaxation ω from the errors seen, and takes it back when it does harm.</summary>
/// <remarks>
/// Near the solution plain iterations shrink the error by r per iteration, r the second eigenvalue of <c>diag(1/a) P diag(1/b) Pᵀ</c>. The best ω is
/// <c>2/(1 + √(1−r))</c>, with rate ω − 1 (Thibault, Chizat, Dossal, Papadakis, Algorithms 2021). A rate ρ seen under ω below the best one satisfies
/// Young's relation <c>(ρ + ω − 1)² = ρ ω² r</c>, which gives r anew.
/// </remarks>
/// <param name="omega">ω to start with; 1 by default.</param>
internal sealed class OverRelaxation(double omega = 1)
{
    const double MaxOmega = 1.98;
    const int Patience = 4;

    double _lastError = double.NaN;
    double _lastRate = double.NaN;
    double _errorAtChange = double.NaN;
    double _cap = MaxOmega;
    int _sinceChange;

    /// <summary>ω in force.</summary>
    public double Omega { get; private set; } = omega;

    /// <summary>Takes note of the error after some more iterations and says whether ω changed.</summary>
    public bool Observe(double error, int iterations)
    {
        double rate = Math.Pow(error / _lastError, 1.0 / iterations);
        double lastRate = _lastRate;
        (_lastError, _lastRate) = (error, rate);
        _sinceChange++;
        if (!double.IsFinite(rate) || !double.IsFinite(lastRate))
            return false;
        if (Omega > 1 && _sinceChange >= Patience && error > _errorAtChange)
        {
            // Worse than before ω was raised: back to plain iterations, and more careful from now on.
            _cap = (1 + Omega) / 2;
            return Change(1, error);
        }
        // The local rate has settled when two windows agree on 1 − rate within a quarter.
        if (_sinceChange < 3 || rate >= 1 || Math.Abs(rate - lastRate) > 0.25 * (1 - rate))
            return false;
        double plainRate = Omega == 1 ? rate : (rate + Omega - 1) * (rate + Omega - 1) / (rate * Omega * Omega);
        double best = Math.Min(2 / (1 + Math.Sqrt(Math.Max(1 - plainRate, 0))), _cap);
        // Under ω ≥ the best one, the rate is ω − 1 and says nothing about r.
        if (rate <= (Omega - 1) * 1.02 || best < Omega * 1.01)
            return false;
        return Change(best, error);
    }

    bool Change(double next, double error)
    {
        (Omega, _errorAtChange, _sinceChange, _lastRate) = (next, error, 0, double.NaN);
        return true;
    }
}
