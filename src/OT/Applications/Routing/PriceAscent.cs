using System.Numerics.Tensors;
using OT.Numerics;
using OT.Results;

namespace OT.Applications.Routing;

/// <summary>Maximises the dual of a routing in the prices of the experts by a quasi-Newton method (BFGS); all tokens are eliminated, so that the unknowns are few.</summary>
/// <remarks>
/// Everything is per token: values, masses, gradients. The dual has kinks, one for each token and pair of experts; many tokens make it as good as smooth, few do not, and the error that is left tells.
/// </remarks>
internal sealed class PriceAscent(TokenTiles tiles, TokenPass pass)
{
    /// <summary>Every how many tiles one is looked at to begin with, where tokens are many.</summary>
    const int SampleStep = 8;

    /// <summary>Tokens for each expert in a sample that is worth a look.</summary>
    const int SampleTokens = 32;

    /// <summary>Passes, each over a sample of all, that samples may take.</summary>
    const double SamplePasses = 4;

    const double SufficientRise = 1e-4;
    const int MostTrials = 8;

    /// <summary>Of γ: stands for a margin where all scores tie.</summary>
    const double LeastMargin = 1e-6;

    /// <summary>Of γ: smaller r are not told from it where a step is scaled.</summary>
    const double LeastEntry = 1e-3;

    /// <summary>The first steps' limit, in mean differences of a token's two highest scores.</summary>
    const double FirstReach = 4;

    double[] _x = [];
    double[] _gradient = [];
    double[] _trial = [];
    double[] _trialGradient = [];
    double[] _direction = [];
    double[] _change = [];
    double[] _product = [];
    double[] _inverse = [];
    double[] _fixed = [];
    double[] _share = [];
    double[] _limit = [];
    int _step;
    bool _fresh;

    int M => tiles.Experts;

    /// <summary>Unknowns: prices of mass, then those of an entry where they are sought.</summary>
    int Unknowns { get; set; }

    /// <summary>Value of the dual per token.</summary>
    public double Value { get; private set; }

    /// <summary>Sum of the gradient's magnitudes: share of the mass by which loads and limits are missed.</summary>
    public double Error { get; private set; }

    /// <summary>Passes so far, those over samples in parts.</summary>
    public double Passes { get; private set; }

    public double Mass(int expert) => _share[expert];

    /// <summary>Begins a group, at prices at which each expert's share of the tokens lies above one level.</summary>
    /// <param name="masses">Mass of each expert, of a total of the tokens.</param>
    /// <param name="limits">Entries of each expert at most.</param>
    /// <param name="seek">Whether entries have prices to seek; else they cost what <paramref name="entry"/> says.</param>
    /// <param name="entry">Price of an entry to begin with.</param>
    public void Begin(ReadOnlySpan<double> masses, ReadOnlySpan<double> limits, bool seek, double entry)
    {
        Unknowns = seek ? 2 * M : M;
        int d = Unknowns;
        if (_x.Length < d)
        {
            (_x, _gradient, _trial, _trialGradient) = (new double[d], new double[d], new double[d], new double[d]);
            (_direction, _change, _product) = (new double[d], new double[d], new double[d]);
            _inverse = new double[Guard.ArrayLength(d, d, "The curvature of the prices")];
        }
        if (_share.Length < M)
            (_share, _limit, _fixed) = (new double[M], new double[M], new double[M]);
        for (int j = 0; j < M; j++)
            (_share[j], _limit[j]) = (masses[j] / tiles.Tokens, limits[j] / tiles.Tokens);
        for (int j = 0; j < M; j++)
            _x[j] = -tiles.Quantile(j, _share[j]);
        _x.AsSpan(M, d - M).Fill(entry);
        _fixed.AsSpan(0, M).Fill(entry);
        Passes = 0;
    }

    /// <summary>Runs to the tolerance, from a sample of the tokens to all of them.</summary>
    public SolverStatus Run(double tolerance, int passes)
    {
        if (tiles.Tiles / SampleStep * TokenTiles.Lanes >= SampleTokens * M)
            Run(SampleStep, tolerance, Math.Min(SamplePasses, passes / 2.0));
        return Run(1, tolerance, passes);
    }

    /// <summary>A last pass, that hands the tokens' choices over.</summary>
    public void Choose(TokenChoices choices)
    {
        _step = 1;
        Value = Evaluate(_x, _gradient, choices);
        Error = Missed();
    }

    SolverStatus Run(int step, double tolerance, double passes)
    {
        bool first = Passes == 0;
        _step = step;
        Value = Evaluate(_x, _gradient);
        if (first)
            Reset();
        while (true)
        {
            Error = Missed();
            if (Error <= tolerance)
                return SolverStatus.Converged;
            if (Passes >= passes)
                return SolverStatus.IterationLimit;
            if (Climb(passes))
                continue;
            if (Passes >= passes)
                return SolverStatus.IterationLimit;
            if (_fresh)
                return SolverStatus.Stalled;
            Reset();
        }
    }

    double Evaluate(ReadOnlySpan<double> x, Span<double> gradient, TokenChoices? choices = null)
    {
        int m = M;
        ReadOnlySpan<double> t = Unknowns > m ? x.Slice(m, m) : _fixed.AsSpan(0, m);
        pass.Evaluate(x[..m], t, _step, choices);
        Passes += 1.0 / _step;
        double value = pass.Value / pass.Seen;
        for (int j = 0; j < m; j++)
        {
            double r = pass.Entry[j];
            value += (_share[j] * pass.Price(j)) - (_limit[j] * (r * r) / (2 * pass.Gamma));
            gradient[j] = _share[j] - (pass.Masses[j] / pass.Seen);
            if (Unknowns > m)
                gradient[m + j] = (pass.Counts[j] / pass.Seen) - _limit[j];
        }
        return value;
    }

    /// <summary>A price of 0 that should fall stays.</summary>
    bool IsHeld(int k) => k >= M && _x[k] <= 0 && _gradient[k] <= 0;

    double Missed()
    {
        double sum = 0;
        for (int k = 0; k < Unknowns; k++)
            sum += IsHeld(k) ? 0 : Math.Abs(_gradient[k]);
        return sum;
    }

    /// <summary>One step; false where the value does not rise along it.</summary>
    bool Climb(double passes)
    {
        int d = Unknowns;
        Span<double> direction = _direction.AsSpan(0, d),
            trial = _trial.AsSpan(0, d);
        for (int k = 0; k < d; k++)
            _change[k] = IsHeld(k) ? 0 : _gradient[k];
        for (int k = 0; k < d; k++)
            direction[k] = IsHeld(k) ? 0 : TensorPrimitives.Dot<double>(_inverse.AsSpan(k * d, d), _change.AsSpan(0, d));
        // A constant on all prices of mass changes nothing but their rounding, which it can make larger than all else.
        double mean = TensorPrimitives.Sum<double>(direction[..M]) / M;
        TensorPrimitives.Subtract(direction[..M], mean, direction[..M]);
        double length = 1;
        if (_fresh)
        {
            double reach = FirstReach * pass.Margin,
                most = Math.Abs(TensorPrimitives.MaxMagnitude<double>(direction));
            length = most > reach && reach > 0 ? reach / most : 1;
        }
        for (int attempt = 0; attempt < MostTrials && (attempt == 0 || Passes < passes); attempt++)
        {
            double slope = 0;
            for (int k = 0; k < d; k++)
            {
                trial[k] = _x[k] + (length * direction[k]);
                if (k >= M)
                    trial[k] = Math.Max(0, trial[k]);
                slope += _gradient[k] * (trial[k] - _x[k]);
            }
            if (!(slope > 0))
                return false;
            double value = Evaluate(trial, _trialGradient);
            if (value >= Value + (SufficientRise * slope))
            {
                Learn();
                trial.CopyTo(_x);
                _trialGradient.AsSpan(0, d).CopyTo(_gradient);
                Value = value;
                return true;
            }
            // The top of the parabola through both values and the slope here.
            length *= Math.Clamp(slope / (2 * (slope + Value - value)), 0.1, 0.5);
        }
        return false;
    }

    /// <summary>The inverse of a first guess at the curvature: a price that moves by the mean margin of its tokens moves all of them.</summary>
    void Reset()
    {
        int d = Unknowns;
        _inverse.AsSpan(0, d * d).Clear();
        for (int j = 0; j < M; j++)
        {
            double margin = pass.MarginAt(j),
                score = 0.5 * (margin > 0 ? margin : LeastMargin * pass.Gamma) / _share[j];
            _inverse[(j * d) + j] = score;
            if (d == M)
                continue;
            // A price of an entry moves scores by dr/dt, and tokens with them, unless the price of mass makes up for it: then masses move alone, and little.
            double r = Math.Max(pass.Entry[j], LeastEntry * pass.Gamma),
                rate = pass.Gamma / r,
                entry = r / (rate * _limit[j]);
            _inverse[(j * d) + j] += rate * rate * entry;
            _inverse[(j * d) + M + j] = _inverse[((M + j) * d) + j] = rate * entry;
            _inverse[((M + j) * d) + M + j] = entry;
        }
        _fresh = true;
    }

    /// <summary>BFGS's update of the inverse by the step to the trial point.</summary>
    void Learn()
    {
        int d = Unknowns;
        Span<double> move = _direction.AsSpan(0, d),
            change = _change.AsSpan(0, d),
            product = _product.AsSpan(0, d);
        TensorPrimitives.Subtract(_trial.AsSpan(0, d), _x.AsSpan(0, d), move);
        TensorPrimitives.Subtract(_gradient.AsSpan(0, d), _trialGradient.AsSpan(0, d), change);
        double curvature = TensorPrimitives.Dot<double>(move, change);
        if (!(curvature > 0))
            return;
        if (_fresh)
        {
            // The guess, scaled to what the first step found.
            double expected = 0;
            for (int k = 0; k < d; k++)
                expected += change[k] * TensorPrimitives.Dot<double>(_inverse.AsSpan(k * d, d), change);
            TensorPrimitives.Multiply(_inverse.AsSpan(0, d * d), curvature / expected, _inverse.AsSpan(0, d * d));
            _fresh = false;
        }
        for (int k = 0; k < d; k++)
            product[k] = TensorPrimitives.Dot<double>(_inverse.AsSpan(k * d, d), change);
        double both = (1 + (TensorPrimitives.Dot<double>(change, product) / curvature)) / curvature;
        for (int k = 0; k < d; k++)
        {
            Span<double> row = _inverse.AsSpan(k * d, d);
            TensorPrimitives.MultiplyAdd(move, (both * move[k]) - (product[k] / curvature), row, row);
            TensorPrimitives.MultiplyAdd(product, -move[k] / curvature, row, row);
        }
    }
}
