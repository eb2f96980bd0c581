using System.Globalization;
using OT.Geometries;
using OT.Numerics;

namespace OT.Problems;

/// <summary>Many linear problems in a row, of any sizes: flat arrays and the offsets at which each problem begins, nothing padded.</summary>
/// <remarks>
/// <para>
/// Problem k has the source weights <c>a[offsetsA[k] .. offsetsA[k + 1]]</c>, the target weights <c>b[offsetsB[k] .. offsetsB[k + 1]]</c>, and n_k × m_k costs:
/// given one after another, computed from points, or shared by all. Regulariser and penalties are those of every problem.
/// </para>
/// <para>Arrays are shared, not copied (points and given marginals are copied), and must not be written afterwards. Use <c>batch with { Regularizer = ... }</c> to change what all problems ask.</para>
/// </remarks>
public sealed record ProblemBatch
{
    readonly double[] _a;
    readonly double[] _b;
    readonly int[] _offsetsA;
    readonly int[] _offsetsB;
    readonly double[] _costs = [];
    readonly int[] _offsetsC = [];
    readonly Matrix[] _source = [];
    readonly Matrix[] _target = [];
    readonly GroundCost? _cost;
    readonly Geometry? _shared;

    ProblemBatch(double[] a, int[] offsetsA, double[] b, int[] offsetsB)
    {
        CheckOffsets(offsetsA, a.Length, nameof(offsetsA));
        CheckOffsets(offsetsB, b.Length, nameof(offsetsB));
        if (offsetsA.Length != offsetsB.Length)
        {
            throw new ArgumentException(
                $"offsetsA has {offsetsA.Length} entries, offsetsB {offsetsB.Length}: both must have one more than there are problems.",
                nameof(offsetsB)
            );
        }
        (_a, _b, _offsetsA, _offsetsB) = (a, b, [.. offsetsA], [.. offsetsB]);
        for (int k = 0; k < Count; k++)
        {
            CheckWeights(k, WeightsA(k), "a");
            CheckWeights(k, WeightsB(k), "b");
        }
    }

    ProblemBatch(double[] costs, double[] a, int[] offsetsA, double[] b, int[] offsetsB)
        : this(a, offsetsA, b, offsetsB)
    {
        _costs = costs;
        _offsetsC = new int[Count + 1];
        long end = 0;
        for (int k = 0; k < Count; k++)
        {
            end += (long)Rows(k) * Columns(k);
            if (end > costs.Length)
                break;
            _offsetsC[k + 1] = (int)end;
        }
        if (end != costs.Length)
        {
            throw new ArgumentException(
                $"There are {costs.Length} costs, and the offsets ask for {end} or more: problem k has n_k × m_k, one problem after another.",
                nameof(costs)
            );
        }
        for (int k = 0; k < Count; k++)
        {
            ReadOnlySpan<double> own = costs.AsSpan(_offsetsC[k], _offsetsC[k + 1] - _offsetsC[k]);
            for (int at = 0; at < own.Length; at++)
            {
                if (double.IsNaN(own[at]) || double.IsNegativeInfinity(own[at]))
                    Throw(
                        k,
                        $"costs[{at / Columns(k)}, {at % Columns(k)}] is {own[at]}: a cost must be finite, or +∞ to forbid the pair."
                    );
            }
        }
    }

    ProblemBatch(Matrix source, double[] a, int[] offsetsA, Matrix target, double[] b, int[] offsetsB, GroundCost cost)
        : this(a, offsetsA, b, offsetsB)
    {
        Guard.Length(source.Rows, a.Length, nameof(source));
        Guard.Length(target.Rows, b.Length, nameof(target));
        _cost = cost;
        (_source, _target) = (new Matrix[Count], new Matrix[Count]);
        for (int k = 0; k < Count; k++)
        {
            (_source[k], _target[k]) = (Slice(source, _offsetsA, k), Slice(target, _offsetsB, k));
            try
            {
                _ = new PointCloud(_source[k], _target[k], cost);
            }
            catch (ArgumentException refused)
            {
                throw new ArgumentException(Named(k, refused.Message), refused);
            }
        }
    }

    ProblemBatch(Geometry shared, double[] a, int[] offsetsA, double[] b, int[] offsetsB)
        : this(a, offsetsA, b, offsetsB) => _shared = shared;

    /// <summary>Problems with costs of their own.</summary>
    /// <param name="costs">n_k × m_k costs of each problem, row after row, one problem after another; <c>+∞</c> forbids a pair.</param>
    /// <param name="a">Source weights, one problem after another.</param>
    /// <param name="offsetsA">Where each problem begins in <paramref name="a"/>, and its length at the end: 0 = o₀ &lt; o₁ &lt; … .</param>
    /// <param name="b">Target weights.</param>
    /// <param name="offsetsB">Where each problem begins in <paramref name="b"/>.</param>
    /// <exception cref="ArgumentException">Offsets, lengths, a weight or a cost is wrong; the message names the problem.</exception>
    public static ProblemBatch OfCosts(double[] costs, double[] a, int[] offsetsA, double[] b, int[] offsetsB)
    {
        ArgumentNullException.ThrowIfNull(costs);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(offsetsA);
        ArgumentNullException.ThrowIfNull(b);
        ArgumentNullException.ThrowIfNull(offsetsB);
        return new(costs, a, offsetsA, b, offsetsB);
    }

    /// <summary>Problems between point clouds.</summary>
    /// <param name="source">All source points, one a row, N × d.</param>
    /// <param name="offsetsA">Where each problem's source points begin, and N at the end.</param>
    /// <param name="target">All target points, M × d.</param>
    /// <param name="offsetsB">Where each problem's target points begin, and M at the end.</param>
    /// <param name="a">N source weights; uniform with mass 1 in each problem when left out.</param>
    /// <param name="b">M target weights; uniform likewise.</param>
    /// <param name="cost">Ground cost; squared Euclidean when left out.</param>
    /// <exception cref="ArgumentException">Offsets, lengths, a weight or a point is wrong; the message names the problem.</exception>
    public static ProblemBatch OfPoints(
        Matrix source,
        int[] offsetsA,
        Matrix target,
        int[] offsetsB,
        double[]? a = null,
        double[]? b = null,
        GroundCost? cost = null
    )
    {
        ArgumentNullException.ThrowIfNull(source);
        ArgumentNullException.ThrowIfNull(offsetsA);
        ArgumentNullException.ThrowIfNull(target);
        ArgumentNullException.ThrowIfNull(offsetsB);
        return new(
            source,
            a ?? Uniform(offsetsA, source.Rows, nameof(offsetsA)),
            offsetsA,
            target,
            b ?? Uniform(offsetsB, target.Rows, nameof(offsetsB)),
            offsetsB,
            cost ?? GroundCost.SquaredEuclidean
        );
    }

    /// <summary>One geometry, many pairs of marginals.</summary>
    /// <param name="geometry">The costs of all problems, n × m.</param>
    /// <param name="a">Source weights, K × n: one problem a row.</param>
    /// <param name="b">Target weights, K × m.</param>
    /// <exception cref="ArgumentException">The shapes do not fit, or a weight is wrong; the message names the problem.</exception>
    public static ProblemBatch OfMarginals(Geometry geometry, Matrix a, Matrix b)
    {
        ArgumentNullException.ThrowIfNull(geometry);
        ArgumentNullException.ThrowIfNull(a);
        ArgumentNullException.ThrowIfNull(b);
        Guard.Length(a.Columns, geometry.Rows, "a row of a");
        Guard.Length(b.Columns, geometry.Columns, "a row of b");
        Guard.Length(b.Rows, a.Rows, nameof(b));
        return new(geometry, a.Values.ToArray(), Steps(a), b.Values.ToArray(), Steps(b));
    }

    /// <summary>Number of problems, K.</summary>
    public int Count => _offsetsA.Length - 1;

    /// <summary>The regulariser of every problem; entropy with 0.05 of its mean cost by default.</summary>
    public Regularizer Regularizer
    {
        get;
        init
        {
            ArgumentNullException.ThrowIfNull(value);
            field = value;
        }
    } = Regularizer.Entropy();

    /// <summary>How strictly every source marginal is held; exactly by default.</summary>
    public MarginalPenalty PenaltyA { get; init; } = MarginalPenalty.Exact;

    /// <summary>How strictly every target marginal is held; exactly by default.</summary>
    public MarginalPenalty PenaltyB { get; init; } = MarginalPenalty.Exact;

    /// <summary>Source bins of a problem, n_k.</summary>
    public int Rows(int problem)
    {
        Guard.Index(problem, Count);
        return _offsetsA[problem + 1] - _offsetsA[problem];
    }

    /// <summary>Target bins of a problem, m_k.</summary>
    public int Columns(int problem)
    {
        Guard.Index(problem, Count);
        return _offsetsB[problem + 1] - _offsetsB[problem];
    }

    /// <summary>One problem by itself, made on demand.</summary>
    public LinearProblem this[int problem]
    {
        get
        {
            Guard.Index(problem, Count);
            return new LinearProblem(GeometryOf(problem), Measure.Of(WeightsA(problem)), Measure.Of(WeightsB(problem)))
            {
                Regularizer = Regularizer,
                PenaltyA = PenaltyA,
                PenaltyB = PenaltyB,
            };
        }
    }

    internal ReadOnlySpan<int> OffsetsA => _offsetsA;

    internal ReadOnlySpan<int> OffsetsB => _offsetsB;

    internal ReadOnlySpan<double> WeightsA(int problem) => Slice(_a, _offsetsA, problem);

    internal ReadOnlySpan<double> WeightsB(int problem) => Slice(_b, _offsetsB, problem);

    /// <summary>The geometry of all problems, where they share one.</summary>
    internal Geometry? Shared => _shared;

    internal Geometry GeometryOf(int problem) =>
        _shared
        ?? (
            _cost is not null
                ? new PointCloud(_source[problem], _target[problem], _cost)
                : new CostMatrix(Rows(problem), Columns(problem), Slice(_costs, _offsetsC, problem).ToArray())
        );

    /// <summary>n_k × m_k costs with the bits of <see cref="Geometry.CostRow"/>: a view where they are stored, else made in <paramref name="scratch"/>, which holds as many and m_k d more.</summary>
    internal ReadOnlySpan<double> Costs(int problem, Span<double> scratch)
    {
        if (_shared is not null)
            throw new InvalidOperationException("Shared costs are tabulated once.");
        if (_cost is null)
            return Slice(_costs, _offsetsC, problem);
        (Matrix x, Matrix y) = (_cost.Prepared(_source[problem]), _cost.Prepared(_target[problem]));
        int m = y.Rows;
        Span<double> costs = scratch[..(x.Rows * m)],
            coordinates = scratch.Slice(x.Rows * m, m * y.Columns);
        for (int j = 0; j < m; j++)
        {
            ReadOnlySpan<double> point = y.Row(j);
            for (int c = 0; c < point.Length; c++)
                coordinates[(c * m) + j] = point[c];
        }
        for (int i = 0; i < x.Rows; i++)
            _cost.EvaluateRow(x.Row(i), _target[problem], coordinates, costs.Slice(i * m, m));
        return costs;
    }

    /// <summary>Doubles that <see cref="Costs"/> needs.</summary>
    internal int CostScratch(int problem) =>
        _cost is null ? 0 : (Rows(problem) * Columns(problem)) + (Columns(problem) * _cost.Prepared(_target[problem]).Columns);

    /// <summary>The largest |C| as <see cref="Geometry.MagnitudeBound"/> has it, and the mean of the finite costs.</summary>
    internal (double Bound, double Mean) Statistics(int problem, ReadOnlySpan<double> costs, bool wantsMean)
    {
        double bound = 0;
        if (_cost is not null)
        {
            bound = _cost.Range(_source[problem], _target[problem]).Bound;
        }
        else
        {
            foreach (double c in costs)
                bound = double.IsPositiveInfinity(c) ? bound : Math.Max(bound, Math.Abs(c));
        }
        double mean = !wantsMean
            ? double.NaN
            : _cost?.Mean(_source[problem], _target[problem]) ?? CostStatistics.MeanOf(costs, Rows(problem), Columns(problem));
        return (bound, mean);
    }

    /// <summary>Puts a problem's number before a message.</summary>
    internal static string Named(int problem, string message) =>
        string.Create(CultureInfo.InvariantCulture, $"Problem {problem}: {message}");

    static void Throw(int problem, FormattableString message) =>
        throw new ArgumentException(Named(problem, FormattableString.Invariant(message)));

    static ReadOnlySpan<double> Slice(double[] values, int[] offsets, int problem) =>
        values.AsSpan(offsets[problem], offsets[problem + 1] - offsets[problem]);

    static Matrix Slice(Matrix points, int[] offsets, int problem)
    {
        int count = offsets[problem + 1] - offsets[problem],
            d = points.Columns;
        return new Matrix(count, d, points.Values.Slice(offsets[problem] * d, count * d).ToArray());
    }

    static int[] Steps(Matrix marginals) => [.. Enumerable.Range(0, marginals.Rows + 1).Select(k => k * marginals.Columns)];

    static double[] Uniform(int[] offsets, int count, string name)
    {
        CheckOffsets(offsets, count, name);
        var weights = new double[count];
        for (int k = 0; k + 1 < offsets.Length; k++)
        {
            int own = offsets[k + 1] - offsets[k];
            weights.AsSpan(offsets[k], own).Fill(1.0 / own);
        }
        return weights;
    }

    static void CheckOffsets(int[] offsets, int length, string name)
    {
        if (offsets.Length == 0 || offsets[0] != 0)
            throw new ArgumentException(
                $"{name} begins with {(offsets.Length == 0 ? "nothing" : offsets[0])}: it must begin with 0.",
                name
            );
        for (int k = 1; k < offsets.Length; k++)
        {
            if (offsets[k] <= offsets[k - 1])
            {
                throw new ArgumentException(
                    $"{name}[{k}] is {offsets[k]}, after {offsets[k - 1]}: offsets must rise, a problem has at least one bin.",
                    name
                );
            }
        }
        if (offsets[^1] != length)
            throw new ArgumentException($"{name} ends with {offsets[^1]}: it must end with the number of bins, {length}.", name);
    }

    static void CheckWeights(int problem, ReadOnlySpan<double> weights, string name)
    {
        for (int k = 0; k < weights.Length; k++)
        {
            if (!(weights[k] >= 0) || double.IsInfinity(weights[k]))
                Throw(problem, $"{name}[{k}] is {weights[k]}: a weight must be finite and not negative.");
        }
        double mass = Summation.Sum(weights);
        if (!(mass > 0))
            Throw(problem, $"The total mass of {name} is 0: at least one weight must be positive.");
        if (double.IsInfinity(mass))
            Throw(problem, $"The total mass of {name} overflows: scale the weights down.");
    }
}
