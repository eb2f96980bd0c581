using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;
using OT.Problems;
using OT.Results;

namespace OT.Solvers.Classes;

/// <summary>The problem as the iterations see it: positive weights of mass 1, costs centred and of size 1, pairs with their factors. And the way back.</summary>
internal sealed class FusedProblem
{
    readonly int[] _rows; // kept bins
    readonly int[] _columns;
    readonly double[] _rowShifts;
    readonly double[] _columnShifts;
    readonly int[] _rowPairs; // which pair a term came from
    readonly int[] _columnPairs;

    public FusedProblem(LinearProblem problem, CancellationToken cancellation)
    {
        Problem = problem;
        Regularizer = (SumOfNormsRegularizer)problem.Regularizer;
        _rows = Positive(problem.A);
        _columns = Positive(problem.B);
        (A, B) = (Shares(problem.A, _rows), Shares(problem.B, _columns));
        Mass = problem.A.Mass;
        (Costs, _rowShifts, _columnShifts, Scale) = Centred(cancellation);
        (RowTerms, _rowPairs) = Terms(Regularizer.Rows, problem.A, _rows);
        (ColumnTerms, _columnPairs) = Terms(Regularizer.Columns, problem.B, _columns);
        double shift = TensorPrimitives.Dot<double>(A, _rowShifts) + TensorPrimitives.Dot<double>(B, _columnShifts);
        Offset = shift / Scale;
    }

    public LinearProblem Problem { get; }

    public SumOfNormsRegularizer Regularizer { get; }

    public int Rows => A.Length;

    public int Columns => B.Length;

    /// <summary>a, sum 1.</summary>
    public double[] A { get; }

    /// <summary>b, sum 1.</summary>
    public double[] B { get; }

    /// <summary>C, centred by rows and columns and divided by <see cref="Scale"/>; <c>+∞</c> for forbidden pairs.</summary>
    public double[] Costs { get; }

    /// <summary>A bin with mass whose every pair is forbidden; null where there is none.</summary>
    public string? Obstacle { get; private set; }

    /// <summary>What costs were divided by.</summary>
    public double Scale { get; }

    /// <summary>What values were divided by, beside <see cref="Scale"/>.</summary>
    public double Mass { get; }

    /// <summary>What centring took off every value, in units of <see cref="Scale"/> and <see cref="Mass"/>.</summary>
    public double Offset { get; }

    public PairTerm[] RowTerms { get; }

    public PairTerm[] ColumnTerms { get; }

    static int[] Positive(Measure measure)
    {
        var kept = new List<int>();
        for (int i = 0; i < measure.Count; i++)
        {
            if (measure.Weights[i] > 0)
                kept.Add(i);
        }
        return [.. kept];
    }

    static double[] Shares(Measure measure, int[] kept) => Array.ConvertAll(kept, i => measure.Weights[i] / measure.Mass);

    (double[] Costs, double[] Rows, double[] Columns, double Scale) Centred(CancellationToken cancellation)
    {
        int n = A.Length,
            m = B.Length;
        var costs = new double[Guard.ArrayLength(n, m, "a table of costs")];
        var full = new double[Problem.B.Count];
        double[] rowShifts = new double[n],
            columnShifts = new double[m],
            counts = new double[m];
        for (int i = 0; i < n; i++)
        {
            cancellation.ThrowIfCancellationRequested();
            Problem.Geometry.CostRow(_rows[i], full);
            Span<double> row = costs.AsSpan(i * m, m);
            for (int j = 0; j < m; j++)
                row[j] = full[_columns[j]];
            if (TensorPrimitives.Min<double>(row) == double.PositiveInfinity)
                Obstacle ??= Forbidden("Row", _rows[i], Problem.A);
            rowShifts[i] = Mean(row);
            for (int j = 0; j < m; j++)
            {
                row[j] -= rowShifts[i];
                if (!double.IsFinite(row[j]))
                    continue;
                counts[j]++;
                columnShifts[j] += (row[j] - columnShifts[j]) / counts[j];
            }
        }
        if (counts.IndexOf(0) is >= 0 and var column)
            Obstacle ??= Forbidden("Column", _columns[column], Problem.B);
        double largest = 0;
        for (int i = 0; i < n; i++)
        {
            for (int j = 0; j < m; j++)
            {
                double cost = costs[(i * m) + j] -= columnShifts[j];
                largest = double.IsFinite(cost) ? Math.Max(largest, Math.Abs(cost)) : largest;
            }
        }
        // Costs that are sums of a row's and a column's number leave rounding alone.
        double size = Math.Max(Size(rowShifts), Size(columnShifts));
        if (largest <= 1e-14 * size)
            largest = size > 0 ? size : 1;
        for (int k = 0; k < costs.Length; k++)
            costs[k] /= largest;
        return (costs, rowShifts, columnShifts, largest);
    }

    static string Forbidden(string side, int bin, Measure measure) =>
        FormattableString.Invariant($"{side} {bin} holds {measure.Weights[bin]:G6} and every one of its pairs is forbidden.");

    static double Size(double[] values) => Math.Abs(TensorPrimitives.MaxMagnitude<double>(values));

    /// <summary>Of the finite values, without overflow.</summary>
    static double Mean(ReadOnlySpan<double> row)
    {
        double mean = 0;
        int count = 0;
        foreach (double value in row)
        {
            if (double.IsFinite(value))
                mean += (value - mean) / ++count;
        }
        return mean;
    }

    /// <summary>Pairs of positive bins. Where plans are compared as they stand, an empty bin is a row of zeros: the pair's other bin is compared with nothing.</summary>
    (PairTerm[] Terms, int[] Pairs) Terms(PairWeights weights, Measure measure, int[] kept)
    {
        var place = new int[measure.Count];
        Array.Fill(place, -1);
        for (int k = 0; k < kept.Length; k++)
            place[kept[k]] = k;
        var terms = new List<PairTerm>();
        var pairs = new List<int>();
        for (int e = 0; e < weights.Pairs.Length; e++)
        {
            (int i, int k, double weight) = weights.Pairs[e];
            (double first, double second) = Regularizer.Factors(measure.Weights[i], measure.Weights[k]);
            double radius = Regularizer.Lambda * weight / Scale;
            if (radius == 0 || (place[i] < 0 && place[k] < 0) || (first == 0 && second == 0))
                continue;
            terms.Add(
                place[i] < 0 ? new(place[k], place[k], 0, second, radius)
                : place[k] < 0 ? new(place[i], place[i], first, 0, radius)
                : new(place[i], place[k], first, second, radius)
            );
            pairs.Add(e);
        }
        return ([.. terms], [.. pairs]);
    }

    /// <summary>A value of the iterations in the problem's units.</summary>
    public double Value(double value) => (value + Offset) * Scale * Mass;

    /// <summary>The problem's plan from the iterations' one.</summary>
    public DensePlan ExpandPlan(double[] plan)
    {
        int full = Problem.B.Count;
        var values = new double[Guard.ArrayLength(Problem.A.Count, full, "a dense plan")];
        for (int i = 0; i < Rows; i++)
        {
            for (int j = 0; j < Columns; j++)
                values[(_rows[i] * full) + _columns[j]] = plan[(i * Columns) + j] * Mass;
        }
        return new DensePlan(new Matrix(Problem.A.Count, full, values));
    }

    /// <summary>The iterations' plan from one of the problem's.</summary>
    public double[] Reduce(TransportPlan plan)
    {
        var values = new double[Rows * Columns];
        var row = new double[plan.Columns];
        for (int i = 0; i < Rows; i++)
        {
            plan.Row(_rows[i], row);
            for (int j = 0; j < Columns; j++)
                values[(i * Columns) + j] = row[_columns[j]] / Mass;
        }
        return values;
    }

    public Potentials ExpandPotentials(ReadOnlySpan<double> f, ReadOnlySpan<double> g)
    {
        double[] fullF = new double[Problem.A.Count],
            fullG = new double[Problem.B.Count];
        for (int i = 0; i < Rows; i++)
            fullF[_rows[i]] = (f[i] * Scale) + _rowShifts[i];
        for (int j = 0; j < Columns; j++)
            fullG[_columns[j]] = (g[j] * Scale) + _columnShifts[j];
        return new Potentials(fullF, fullG);
    }

    public PairDuals ExpandDuals(double[] rowDuals, double[] columnDuals) =>
        new(
            Expand(rowDuals, Regularizer.Rows, _rowPairs, _columns, Problem.B.Count),
            Expand(columnDuals, Regularizer.Columns, _columnPairs, _rows, Problem.A.Count)
        );

    Matrix Expand(double[] duals, PairWeights weights, int[] pairs, int[] kept, int full)
    {
        var values = new double[Guard.ArrayLength(weights.Pairs.Length, full, "dual vectors of all pairs")];
        for (int e = 0; e < pairs.Length; e++)
        {
            for (int j = 0; j < kept.Length; j++)
                values[(pairs[e] * full) + kept[j]] = duals[(e * kept.Length) + j] * Scale;
        }
        return new Matrix(weights.Pairs.Length, full, values);
    }

    /// <summary>The iterations' dual vectors from given ones.</summary>
    public (double[] Rows, double[] Columns) Reduce(PairDuals duals) =>
        (Reduce(duals.Rows, _rowPairs, _columns), Reduce(duals.Columns, _columnPairs, _rows));

    double[] Reduce(Matrix duals, int[] pairs, int[] kept)
    {
        var values = new double[pairs.Length * kept.Length];
        for (int e = 0; e < pairs.Length; e++)
        {
            ReadOnlySpan<double> row = duals.Row(pairs[e]);
            for (int j = 0; j < kept.Length; j++)
                values[(e * kept.Length) + j] = row[kept[j]] / Scale;
        }
        return values;
    }
}
