using System.Globalization;
using System.Numerics.Tensors;
using OT.Numerics;
using OT.Results;

namespace OT.Solvers.Convex;

/// <summary>Mirror Sinkhorn one gradient at a time: for objectives that arrive while they are minimised. No horizon, no accuracy chosen beforehand.</summary>
/// <remarks>
/// <para>
/// Starts at <c>P_1 = a bᵀ/Σa</c>. Each step is <c>log Q = log P_t − η_t G</c> and one rescaling, of the columns to b when t is odd and of the rows to a when t is even. Ballu and Berthet, ICML 2023, Algorithm 1;
/// docs/theory/mirror-sinkhorn.md.
/// </para>
/// <para>O(nm) per step with one exponential per entry; three n × m tables. Deterministic. Not for two threads at once.</para>
/// </remarks>
public sealed class OnlineMirrorSinkhorn
{
    readonly MirrorSinkhornOptions _options;
    readonly MirrorSteps _steps;
    readonly double[] _a;
    readonly double[] _b;
    readonly double[] _log; // log P_t, −∞ where no mass may go
    readonly double[] _masses;
    readonly double[] _average;
    readonly bool[]? _closed; // pairs that are forbidden or have a zero weight
    readonly double[] _shift; // of the columns' logarithms
    readonly double[] _sums;
    readonly double[] _corrections;
    readonly double[] _psi; // sum of the columns' shifts
    double _weight;
    double _travelled; // S_t = Σ η_s

    /// <summary>Prepares P_1.</summary>
    /// <param name="a">Source weights, n; zeros are legal.</param>
    /// <param name="b">Target weights, m, of the same mass up to the slack of their precision; scaled to it.</param>
    /// <param name="gradientBound">B, a bound of <c>max G − min G</c>; the spreads seen so far when left out.</param>
    /// <param name="averaging">What <see cref="CurrentAverage"/> is; a suffix needs a horizon and is refused.</param>
    /// <exception cref="ArgumentException">Masses differ, the bound is not positive, or the average is not known without a horizon.</exception>
    public OnlineMirrorSinkhorn(Measure a, Measure b, double? gradientBound = null, Averaging averaging = Averaging.Uniform)
        : this(a, b, new MirrorSinkhornOptions { GradientBound = gradientBound, Averaging = averaging })
    {
        if (averaging == Averaging.Suffix)
            throw new ArgumentException("A suffix average needs to know the number of steps beforehand.", nameof(averaging));
    }

    internal OnlineMirrorSinkhorn(
        Measure a,
        Measure b,
        MirrorSinkhornOptions options,
        Func<int, int, bool>? isForbidden = null,
        double largestStep = double.PositiveInfinity
    )
    {
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        options.Validate();
        if (Math.Abs(a.Mass - b.Mass) > Math.Max(a.MassSlack, b.MassSlack) * Math.Max(a.Mass, b.Mass))
        {
            throw new ArgumentException(
                string.Create(
                    CultureInfo.InvariantCulture,
                    $"The masses differ: {a.Mass:G17} against {b.Mass:G17}. They must be equal."
                ),
                nameof(b)
            );
        }
        _options = options;
        (_a, _b) = (a.Weights.ToArray(), MirrorSteps.SameMass(a, b).B.Weights.ToArray());
        _steps = new MirrorSteps(_a, _b, options, largestStep);
        int n = _a.Length,
            m = _b.Length,
            length = Guard.ArrayLength(n, m, "the table of a mirror step");
        (_log, _masses) = (new double[length], new double[length]);
        (_shift, _sums, _corrections, _psi) = (new double[m], new double[m], new double[m], new double[m]);
        _closed = Closed(isForbidden);
        (double[] logA, double[] logB) = (VectorMath.LogWeights(_a), VectorMath.LogWeights(_b));
        for (int i = 0; i < n; i++)
        {
            TensorPrimitives.Add(logB, logA[i] - Math.Log(a.Mass), _log.AsSpan(i * m, m));
            TensorPrimitives.Multiply(_b, _a[i] / a.Mass, _masses.AsSpan(i * m, m));
        }
        Close();
        for (int k = 0; _closed is not null && k < length; k++)
            _masses[k] = _closed[k] ? 0 : _masses[k];
        _average = [.. _masses];
        _weight = options.Averaging == Averaging.StepWeighted ? 0 : 1;
    }

    /// <summary>Number of sources, n.</summary>
    public int Rows => _a.Length;

    /// <summary>Number of targets, m.</summary>
    public int Columns => _b.Length;

    /// <summary>Steps made so far.</summary>
    public int Iterations { get; private set; }

    /// <summary>P_t, at which the next gradient is wanted: n × m, row-major, valid until the next step. Meets one marginal to rounding, the columns' after an odd number of steps.</summary>
    public ReadOnlySpan<double> Current => _masses;

    /// <summary>The gradient's bound, or its largest spread so far.</summary>
    internal double Bound => _steps.Bound;

    /// <summary>One step along a gradient of the objective of the moment, at <see cref="Current"/>.</summary>
    /// <param name="gradient">n × m; finite where both weights are positive, not looked at elsewhere.</param>
    /// <exception cref="ArgumentException">The length is not n m, or a value is NaN or infinite; no step is made.</exception>
    public void Step(ReadOnlySpan<double> gradient)
    {
        Guard.Length(gradient.Length, _masses.Length, nameof(gradient));
        (double low, double high) = Range(gradient, out int bad);
        if (bad >= 0)
            Guard.ThrowElement(nameof(gradient), bad, gradient[bad], "every value must be finite, and so their spread");
        Advance(gradient, high - low);
    }

    /// <summary>The average of the iterates so far, a copy. It misses the marginals a little: see <see cref="Certificate.FeasiblePlan"/> for one that meets them.</summary>
    public DensePlan CurrentAverage() => Copy(_average);

    /// <summary>The last iterate, a copy.</summary>
    internal DensePlan CurrentIterate() => Copy(_masses);

    /// <summary>Least and largest G over open pairs, and the place of a value that is not finite or beyond a finite spread, or −1.</summary>
    internal (double Low, double High) Range(ReadOnlySpan<double> gradient, out int bad)
    {
        double low = double.PositiveInfinity,
            high = double.NegativeInfinity;
        bad = -1;
        if (_closed is null)
        {
            (low, high) = (TensorPrimitives.Min(gradient), TensorPrimitives.Max(gradient));
            if (double.IsFinite(high - low))
                return (low, high);
            (low, high) = (double.PositiveInfinity, double.NegativeInfinity);
        }
        for (int k = 0; k < gradient.Length; k++)
        {
            if (_closed is not null && _closed[k])
                continue;
            double value = gradient[k];
            if (!double.IsFinite(value) || !double.IsFinite(Math.Max(high, value) - Math.Min(low, value)))
            {
                bad = k;
                break;
            }
            (low, high) = (Math.Min(low, value), Math.Max(high, value));
        }
        return low <= high ? (low, high) : (0, 0);
    }

    /// <summary>A step along a gradient that has been looked at.</summary>
    internal void Advance(ReadOnlySpan<double> gradient, double spread)
    {
        int t = ++Iterations;
        double eta = _steps.Next(spread);
        if (_options.Averaging == Averaging.StepWeighted)
            Average(eta);
        TensorPrimitives.MultiplyAdd(gradient, -eta, _log, _log);
        Close();
        _travelled += eta;
        if (t % 2 == 0)
            RescaleRows();
        else
            RescaleColumns();
        if (_options.Averaging == Averaging.Suffix && t == (_options.MaxIterations / 2) + 1)
            _weight = 0;
        if (_options.Averaging != Averaging.StepWeighted)
            Average(1);
    }

    /// <summary>Target potentials <c>g = ψ/S</c> of the mean gradient: <c>log P = log P_1 − Σ η G + φ + ψ</c>.</summary>
    internal double[] TargetPotential() =>
        _travelled > 0 ? Array.ConvertAll(_psi, shift => shift / _travelled) : new double[_psi.Length];

    void RescaleRows()
    {
        int m = _b.Length;
        for (int i = 0; i < _a.Length; i++)
        {
            if (_a[i] == 0)
                continue;
            Span<double> log = _log.AsSpan(i * m, m),
                masses = _masses.AsSpan(i * m, m);
            double max = TensorPrimitives.Max<double>(log);
            TensorPrimitives.Subtract(log, max, masses);
            VectorMath.Exp(masses);
            double sum = AccurateSum.Of(masses);
            TensorPrimitives.Multiply(masses, _a[i] / sum, masses);
            TensorPrimitives.Add(log, Math.Log(_a[i]) - max - Math.Log(sum), log);
        }
    }

    void RescaleColumns()
    {
        int m = _b.Length;
        Span<double> max = _shift;
        max.Fill(double.NegativeInfinity);
        for (int i = 0; i < _a.Length; i++)
            TensorPrimitives.Max(max, _log.AsSpan(i * m, m), max);
        for (int j = 0; j < m; j++)
            max[j] = _b[j] > 0 ? max[j] : 0;
        Array.Clear(_sums);
        Array.Clear(_corrections);
        for (int i = 0; i < _a.Length; i++)
        {
            Span<double> masses = _masses.AsSpan(i * m, m);
            TensorPrimitives.Subtract(_log.AsSpan(i * m, m), max, masses);
            VectorMath.Exp(masses);
            AccurateSum.Fold(masses, _sums, _corrections);
        }
        for (int j = 0; j < m; j++)
        {
            double sum = _sums[j] + _corrections[j];
            (_shift[j], _sums[j]) = _b[j] > 0 ? (Math.Log(_b[j]) - max[j] - Math.Log(sum), _b[j] / sum) : (0, 0);
        }
        TensorPrimitives.Add(_psi, _shift, _psi);
        for (int i = 0; i < _a.Length; i++)
        {
            Span<double> log = _log.AsSpan(i * m, m),
                masses = _masses.AsSpan(i * m, m);
            TensorPrimitives.Multiply(masses, _sums, masses);
            TensorPrimitives.Add(log, _shift, log);
        }
    }

    /// <summary><c>P̄ ← P̄ + (w/Σw) (P − P̄)</c>: of masses, never of logarithms.</summary>
    void Average(double weight)
    {
        if (weight == 0)
            return;
        _weight += weight;
        double share = weight / _weight;
        TensorPrimitives.Multiply(_average, 1 - share, _average);
        TensorPrimitives.MultiplyAdd(_masses, share, _average, _average);
    }

    bool[]? Closed(Func<int, int, bool>? isForbidden)
    {
        if (isForbidden is null && !_a.Contains(0) && !_b.Contains(0))
            return null;
        var closed = new bool[_masses.Length];
        for (int i = 0; i < _a.Length; i++)
        {
            for (int j = 0; j < _b.Length; j++)
                closed[(i * _b.Length) + j] = _a[i] == 0 || _b[j] == 0 || (isForbidden is not null && isForbidden(i, j));
        }
        return closed;
    }

    /// <summary>No mass where none may go.</summary>
    void Close()
    {
        if (_closed is null)
            return;
        for (int k = 0; k < _log.Length; k++)
        {
            if (_closed[k])
                _log[k] = double.NegativeInfinity;
        }
    }

    DensePlan Copy(double[] table) => new(new Matrix(_a.Length, _b.Length, [.. table]));
}
