namespace OT.Solvers.Entropic;

/// <summary>Chooses the over-relaxation ω from the errors seen, and takes it back, with the iterate, when it does harm.</summary>
/// <remarks>
/// Near the solution plain iterations shrink the error by r per iteration, r the second eigenvalue of <c>diag(1/a) P diag(1/b) Pᵀ</c>. The best ω is
/// <c>2/(1 + √(1−r))</c>, with rate ω − 1 (Thibault, Chizat, Dossal, Papadakis, Algorithms 2021). A rate ρ seen under ω below the best one satisfies
/// Young's relation <c>(ρ + ω − 1)² = ρ ω² r</c>, which gives r anew. Far from the solution a large ω may diverge: the iterate at the last change is kept.
/// </remarks>
internal sealed class OverRelaxation
{
    const double MaxOmega = 1.98;
    const double HarmfulGrowth = 10;

    readonly double[] _savedF;
    readonly double[] _savedG;
    double _lastError = double.NaN;
    double _lastRate = double.NaN;
    double _errorAtChange = double.PositiveInfinity;
    double _cap = MaxOmega;
    int _sinceChange;
    int _patience = 3;

    public OverRelaxation(int rows, int columns, double omega)
    {
        (_savedF, _savedG) = (new double[rows], new double[columns]);
        Omega = omega;
    }

    /// <summary>ω in force.</summary>
    public double Omega { get; private set; }

    /// <summary>Takes note of the error after some more iterations; may change ω, and puts the kept iterate back when the error exploded.</summary>
    public void Observe(double error, int iterations, Span<double> f, Span<double> g)
    {
        if (Omega > 1 && double.IsPositiveInfinity(_errorAtChange))
        {
            // Taken over from an earlier run: its first error is the one to judge by.
            f.CopyTo(_savedF);
            g.CopyTo(_savedG);
            _errorAtChange = error;
        }
        double rate = Math.Pow(error / _lastError, 1.0 / iterations);
        double lastRate = _lastRate;
        (_lastError, _lastRate) = (error, rate);
        _sinceChange++;
        if (Omega > 1 && (double.IsPositiveInfinity(error) || !(error <= HarmfulGrowth * _errorAtChange)))
        {
            _savedF.CopyTo(f);
            _savedG.CopyTo(g);
            Withdraw();
            return;
        }
        if (Omega > 1 && _sinceChange >= 2 * _patience && error > _errorAtChange)
        {
            Withdraw();
            return;
        }
        // The local rate has settled when two windows agree on 1 − rate within a quarter.
        if (_sinceChange < _patience || !(rate < 1) || !(Math.Abs(rate - lastRate) <= 0.25 * (1 - rate)))
            return;
        double plainRate = Omega == 1 ? rate : (rate + Omega - 1) * (rate + Omega - 1) / (rate * Omega * Omega);
        double best = Math.Min(2 / (1 + Math.Sqrt(Math.Max(1 - plainRate, 0))), _cap);
        // Under ω at or above the best one, the rate is ω − 1 and says nothing about r.
        if (rate <= (Omega - 1) * 1.02 || best < Omega * 1.01)
            return;
        f.CopyTo(_savedF);
        g.CopyTo(_savedG);
        (Omega, _errorAtChange, _sinceChange, _lastRate) = (best, error, 0, double.NaN);
    }

    /// <summary>Back to plain iterations, and more careful from now on.</summary>
    void Withdraw()
    {
        _cap = (1 + Omega) / 2;
        _patience = Math.Min(2 * _patience, 1000);
        (Omega, _errorAtChange, _sinceChange, _lastRate, _lastError) = (1, double.PositiveInfinity, 0, double.NaN, double.NaN);
    }
}
