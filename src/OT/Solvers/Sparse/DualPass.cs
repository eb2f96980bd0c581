using System.Collections.Immutable;
using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Sparse;

/// <summary>The dual in both potentials, <c>⟨a, f⟩ + ⟨b, g⟩ − Σ_i D(X_i:)</c> with <c>X_ij = f_i + g_j − C_ij</c>, and its gradient, by one pass: for the quadratic term and the group lasso over columns.</summary>
/// <param name="problem">The problem; of a group lasso on rows the one the other way round.</param>
/// <param name="gamma">γ.</param>
/// <param name="mu">μ; 0 without groups.</param>
/// <param name="groups">The group of each column, 0 … ; empty without groups.</param>
/// <param name="threads">Threads; they change no bit.</param>
internal sealed class DualPass(SparseProblem problem, double gamma, double mu, ImmutableArray<int> groups, int threads)
{
    readonly int _n = problem.A.Length;
    readonly int _m = problem.B.Length;
    readonly int _groups = groups.IsEmpty ? 0 : groups.Max() + 1;
    readonly double[] _rowSums = new double[problem.A.Length];

    /// <summary>The negative dual at <c>x = (f, g)</c> and its gradient, <c>(P1 − a, Pᵀ1 − b)</c>. Bins without weight are left out.</summary>
    public double Evaluate(ReadOnlySpan<double> x, Span<double> gradient, CancellationToken cancellation)
    {
        double[] f = x[.._n].ToArray(),
            g = Prices(x);
        double[] sums = RowReduction.Sum(
            _n,
            _m + 1,
            _m,
            threads,
            (i, row, sum) =>
            {
                _rowSums[i] = 0;
                if (problem.A[i] == 0)
                    return;
                sum[_m] += Respond(i, f, g, row);
                _rowSums[i] = TensorPrimitives.Sum<double>(row);
                TensorPrimitives.Add(sum[.._m], row, sum[.._m]);
            },
            cancellation
        );
        Compensated value = default;
        value.Add(sums[_m]);
        for (int i = 0; i < _n; i++)
        {
            gradient[i] = _rowSums[i] - problem.A[i];
            value.Add(-problem.A[i] * f[i]);
        }
        for (int j = 0; j < _m; j++)
        {
            gradient[_n + j] = problem.B[j] == 0 ? 0 : sums[j] - problem.B[j];
            if (problem.B[j] > 0)
                value.Add(-problem.B[j] * g[j]);
        }
        return value.Value;
    }

    /// <summary>The plan at <c>x = (f, g)</c>.</summary>
    public SparseMatrix Plan(ReadOnlySpan<double> x)
    {
        double[] f = x[.._n].ToArray(),
            g = Prices(x),
            row = new double[_m];
        var starts = new long[_n + 1];
        var columns = new List<int>();
        var values = new List<double>();
        for (int i = 0; i < _n; i++)
        {
            if (problem.A[i] > 0)
            {
                Respond(i, f, g, row);
                for (int j = 0; j < _m; j++)
                {
                    if (row[j] > 0)
                    {
                        columns.Add(j);
                        values.Add(row[j]);
                    }
                }
            }
            starts[i + 1] = values.Count;
        }
        return new SparseMatrix(_n, _m, starts, [.. columns], [.. values]);
    }

    double[] Prices(ReadOnlySpan<double> x)
    {
        double[] g = x[_n..].ToArray();
        for (int j = 0; j < _m; j++)
        {
            if (problem.B[j] == 0)
                g[j] = double.NegativeInfinity;
        }
        return g;
    }

    /// <summary>Makes <c>∇D(X_i:)</c> of a row, and gives D.</summary>
    double Respond(int i, double[] f, double[] g, Span<double> row)
    {
        row = row[.._m];
        problem.Geometry.CostRow(i, row);
        TensorPrimitives.Subtract(g, row, row);
        TensorPrimitives.Add(row, f[i], row);
        TensorPrimitives.Max(row, 0, row);
        TensorPrimitives.Divide(row, gamma, row); // of the size of masses: squares of costs may leave the range of doubles
        if (_groups == 0)
        {
            return 0.5 * gamma * TensorPrimitives.Dot<double>(row, row);
        }
        double[] norms = new double[_groups];
        for (int j = 0; j < _m; j++)
            norms[groups[j]] += row[j] * row[j];
        double value = 0;
        foreach (ref double norm in norms.AsSpan())
        {
            norm = Math.Sqrt(norm);
            double over = Math.Max(0, norm - mu);
            value += 0.5 * gamma * over * over;
            norm = over == 0 ? 0 : over / norm; // from here on what multiplies the group
        }
        for (int j = 0; j < _m; j++)
            row[j] *= norms[groups[j]];
        return value;
    }
}
