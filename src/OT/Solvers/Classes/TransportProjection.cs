using System.Numerics.Tensors;
using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;
using OT.Numerics;

namespace OT.Solvers.Classes;

/// <summary>
/// The nearest plan to a table: <c>min |P − V|² over P ≥ 0, P1 = a, Pᵀ1 = b</c>, which is <c>P = max(0, V + f + g)</c> at the maximum of
/// <c>⟨a, f⟩ + ⟨b, g⟩ − |max(0, V + f + g)|²/2</c>. Semismooth Newton, warm-started: V changes little from call to call.
/// </summary>
/// <remarks>
/// The Hessian is the Laplacian of the support's graph, solved by conjugate gradients in g. Entries of V may be <c>−∞</c>: forbidden pairs.
/// Weights are positive. Passes over V are cut in blocks of rows: the same bits for any number of threads.
/// </remarks>
internal sealed class TransportProjection : IBlockWork
{
    const int Blocks = 16;
    const double Sufficient = 1e-4;
    const double LeastDamping = 1e-8;
    const double MostDamping = 0.1;
    const double LinearTolerance = 1e-3;
    const int LinearIterations = 300;
    const int MaxNewton = 200;

    readonly double[] _a;
    readonly double[] _b;
    readonly RowBlocks _blocks;
    readonly double[] _rowSums;
    readonly double[] _columnSums;
    readonly double[][] _partialColumns;
    readonly double[] _partialSquares;
    readonly int[] _support;
    readonly int[] _rowCounts;
    readonly double[] _columnCounts;
    readonly double[] _trialF;
    readonly double[] _trialG;
    double _damping = LeastDamping;
    double[] _v = [];
    double[] _p = [];

    public TransportProjection(double[] a, double[] b, RowBlocks blocks)
    {
        (_a, _b, _blocks) = (a, b, blocks);
        int n = a.Length,
            m = b.Length,
            count = Math.Min(Blocks, n);
        (F, G, _trialF, _trialG) = (new double[n], new double[m], new double[n], new double[m]);
        (_rowSums, _columnSums) = (new double[n], new double[m]);
        _partialColumns = [.. Enumerable.Range(0, count).Select(_ => new double[m])];
        _partialSquares = new double[count];
        _support = new int[Guard.ArrayLength(n, m, "the support of a plan")];
        (_rowCounts, _columnCounts) = (new int[n], new double[m]);
    }

    /// <summary>f, kept from call to call.</summary>
    public double[] F { get; }

    /// <summary>g, kept from call to call.</summary>
    public double[] G { get; }

    /// <summary>Newton steps so far.</summary>
    public long Steps { get; private set; }

    /// <summary>Writes the projection of V, and returns what it misses of the marginals, in L1.</summary>
    /// <param name="v">V, n × m.</param>
    /// <param name="p">Receives P.</param>
    /// <param name="tolerance">The L1 error to stop at.</param>
    /// <param name="cancellation">Watched once per Newton step.</param>
    public double Project(double[] v, double[] p, double tolerance, CancellationToken cancellation)
    {
        (_v, _p) = (v, p);
        double value = Evaluate(F, G),
            error = Error();
        for (int step = 0; step < MaxNewton && error > tolerance && !cancellation.IsCancellationRequested; step++)
        {
            if (FillEmpty())
                (value, error) = (Evaluate(F, G), Error());
            Steps++;
            if (Newton(ref value, ref error))
                continue;
            double before = value;
            Sweep();
            (value, error) = (Evaluate(F, G), Error());
            if (_damping == MostDamping && value <= before + (1e-15 * Math.Abs(before)))
                break; // rounding allows no better
        }
        return error;
    }

    double Error()
    {
        double sum = 0;
        for (int i = 0; i < _a.Length; i++)
            sum += Math.Abs(_a[i] - _rowSums[i]);
        for (int j = 0; j < _b.Length; j++)
            sum += Math.Abs(_b[j] - _columnSums[j]);
        return sum;
    }

    /// <summary>P, its marginals and the dual value at (f, g).</summary>
    double Evaluate(double[] f, double[] g)
    {
        f.CopyTo(_trialF, 0);
        g.CopyTo(_trialG, 0);
        _blocks.Run(_partialColumns.Length, this);
        Array.Clear(_columnSums);
        double squares = 0;
        for (int block = 0; block < _partialColumns.Length; block++)
        {
            TensorPrimitives.Add(_columnSums, _partialColumns[block], _columnSums);
            squares += _partialSquares[block];
        }
        return TensorPrimitives.Dot<double>(_a, f) + TensorPrimitives.Dot<double>(_b, g) - (0.5 * squares);
    }

    void IBlockWork.Run(int block, int worker)
    {
        int n = _a.Length,
            m = _b.Length,
            end = (int)((long)n * (block + 1) / _partialColumns.Length);
        double[] columns = _partialColumns[block];
        Array.Clear(columns);
        double squares = 0;
        for (int i = (int)((long)n * block / _partialColumns.Length); i < end; i++)
        {
            (double sum, double square) = PlanRow(_v.AsSpan(i * m, m), _trialG, _trialF[i], _p.AsSpan(i * m, m), columns);
            _rowSums[i] = sum;
            squares += square;
        }
        _partialSquares[block] = squares;
    }

    /// <summary><c>p = max(0, v + f + g)</c>, added to the column sums.</summary>
    static (double Sum, double Squares) PlanRow(
        ReadOnlySpan<double> v,
        ReadOnlySpan<double> g,
        double f,
        Span<double> p,
        Span<double> columns
    )
    {
        ref double v0 = ref MemoryMarshal.GetReference(v),
            g0 = ref MemoryMarshal.GetReference(g),
            p0 = ref MemoryMarshal.GetReference(p),
            c0 = ref MemoryMarshal.GetReference(columns);
        Vector256<double> shift = Vector256.Create(f),
            sums = default,
            squares = default;
        int j = 0;
        for (; j <= v.Length - 4; j += 4)
        {
            Vector256<double> mass = Vector256.Max(
                default,
                Vector256.LoadUnsafe(ref v0, (nuint)j) + (Vector256.LoadUnsafe(ref g0, (nuint)j) + shift)
            );
            sums += mass;
            squares += mass * mass;
            mass.StoreUnsafe(ref p0, (nuint)j);
            (Vector256.LoadUnsafe(ref c0, (nuint)j) + mass).StoreUnsafe(ref c0, (nuint)j);
        }
        (double sum, double square) = (Vector256.Sum(sums), Vector256.Sum(squares));
        for (; j < v.Length; j++)
        {
            double mass = Math.Max(0, v[j] + (g[j] + f));
            sum += mass;
            square += mass * mass;
            p[j] = mass;
            columns[j] += mass;
        }
        return (sum, square);
    }

    /// <summary>One damped Newton step; false where no step length improves.</summary>
    bool Newton(ref double value, ref double error)
    {
        int n = _a.Length,
            m = _b.Length;
        ListSupport();
        var right = new double[m];
        var inverse = new double[m];
        for (int j = 0; j < m; j++)
        {
            right[j] = _b[j] - _columnSums[j];
            inverse[j] = _columnCounts[j] > 0 ? 1 / _columnCounts[j] : 0;
        }
        for (int i = 0; i < n; i++)
        {
            double share = _rowCounts[i] > 0 ? (_a[i] - _rowSums[i]) / _rowCounts[i] : 0;
            foreach (int j in RowSupport(i))
                right[j] -= share;
        }
        var dg = new double[m];
        ConjugateGradient.Solve(Product, right, inverse, false, LinearTolerance, LinearIterations, dg);
        var df = new double[n];
        double slope = 0;
        for (int i = 0; i < n; i++)
        {
            double missing = _a[i] - _rowSums[i],
                sum = missing;
            foreach (int j in RowSupport(i))
                sum -= dg[j];
            df[i] = _rowCounts[i] > 0 ? sum / _rowCounts[i] : 0;
            slope += missing * df[i];
        }
        for (int j = 0; j < m; j++)
            slope += (_b[j] - _columnSums[j]) * dg[j];
        return Search(df, dg, slope, ref value, ref error);
    }

    bool Search(double[] df, double[] dg, double slope, ref double value, ref double error)
    {
        const int halvings = 20;
        var f = new double[df.Length];
        var g = new double[dg.Length];
        double step = 1;
        for (int trial = 0; trial < halvings; trial++, step /= 2)
        {
            TensorPrimitives.MultiplyAdd(df, step, F, f);
            TensorPrimitives.MultiplyAdd(dg, step, G, g);
            double reached = Evaluate(f, g),
                left = Error();
            // Near the solution the value's rounding hides the gain; the error tells it.
            if (
                double.IsFinite(reached)
                && (reached >= value + (Sufficient * step * slope) || left < 0.5 * error)
                && left < 1e3 * error
            )
            {
                f.CopyTo(F, 0);
                g.CopyTo(G, 0);
                (value, error) = (reached, left);
                _damping = Math.Clamp(
                    _damping
                        * (
                            step == 1 ? 0.1
                            : step < 0.1 ? 10
                            : 1
                        ),
                    LeastDamping,
                    MostDamping
                );
                return true;
            }
        }
        Evaluate(F, G);
        _damping = Math.Min(100 * _damping, MostDamping);
        return false;
    }

    /// <summary><c>(D_c (1 + δ) − Aᵀ D_r⁻¹ A) x</c> with A the support; δ grows where steps have to be cut, as between parts of the support that no entry joins.</summary>
    bool Product(ReadOnlySpan<double> x, Span<double> result)
    {
        for (int j = 0; j < x.Length; j++)
            result[j] = _columnCounts[j] * (1 + _damping) * x[j];
        for (int i = 0; i < _a.Length; i++)
        {
            ReadOnlySpan<int> support = RowSupport(i);
            double sum = 0;
            foreach (int j in support)
                sum += x[j];
            if (support.Length > 0)
                sum /= support.Length;
            foreach (int j in support)
                result[j] -= sum;
        }
        return true;
    }

    ReadOnlySpan<int> RowSupport(int row) => _support.AsSpan(row * _b.Length, _rowCounts[row]);

    void ListSupport()
    {
        int m = _b.Length;
        Array.Clear(_columnCounts);
        for (int i = 0; i < _a.Length; i++)
        {
            ReadOnlySpan<double> p = _p.AsSpan(i * m, m);
            Span<int> support = _support.AsSpan(i * m, m);
            int count = 0;
            for (int j = 0; j < p.Length; j++)
            {
                support[count] = j;
                count += p[j] > 0 ? 1 : 0;
            }
            _rowCounts[i] = count;
            foreach (int j in support[..count])
                _columnCounts[j]++;
        }
    }

    /// <summary>Rows and columns without any mass are lifted until they have theirs; whether there were any.</summary>
    bool FillEmpty()
    {
        bool any = false;
        for (int i = 0; i < _a.Length; i++)
        {
            if (_rowSums[i] == 0)
            {
                FitRow(i);
                any = true;
            }
        }
        for (int j = 0; j < _b.Length; j++)
        {
            if (_columnSums[j] == 0)
            {
                FitColumn(j);
                any = true;
            }
        }
        return any;
    }

    /// <summary>Every row, then every column, is fitted exactly: block coordinate ascent, where Newton finds no way.</summary>
    void Sweep()
    {
        for (int i = 0; i < _a.Length; i++)
            FitRow(i);
        for (int j = 0; j < _b.Length; j++)
            FitColumn(j);
    }

    void FitRow(int i)
    {
        int m = _b.Length;
        double[] levels = new double[m];
        TensorPrimitives.Add(_v.AsSpan(i * m, m), G, levels);
        F[i] = SimplexProjection.Shift(levels, _a[i]);
    }

    void FitColumn(int j)
    {
        int m = _b.Length;
        double[] levels = new double[_a.Length];
        for (int i = 0; i < levels.Length; i++)
            levels[i] = _v[(i * m) + j] + F[i];
        G[j] = SimplexProjection.Shift(levels, _b[j]);
    }
}
