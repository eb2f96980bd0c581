using System.Numerics.Tensors;
using OT.Geometries;
using OT.Numerics;

namespace OT.Solvers.Entropic;

/// <summary>Newton's direction for the semi-dual <c>D(g) = max_f D(f, g)</c>, where first-order steps crawl: at small ε, between parts of the plan that hardly touch.</summary>
/// <remarks>
/// <para>
/// With transition probabilities <c>q_ij ∝ b_j exp((g_j − C_ij)/ε)</c>, row masses r and column masses <c>c = qᵀr</c>, the Hessian is −L/ε,
/// <c>L = diag(c + ε b̂/ρ_b) − τ_a qᵀ diag(r) q</c> with <c>b̂ = b exp(−g/ρ_b)</c>. The direction solves <c>L d = ε (b̂ − c)</c>.
/// </para>
/// <para>
/// L is what is left of a bipartite graph, rows on one side and columns on the other with weights <c>r_i q_ij</c>, once the rows are eliminated. Small entries are
/// left out (<see cref="ThinPlan"/>) and counted as losses at both ends, so that the thin matrix is definite and the step too short rather than too long;
/// the sparse factor then eliminates rows and columns in the order that suits it.
/// </para>
/// </remarks>
/// <param name="geometry">The costs C, n × m.</param>
/// <param name="threads">Threads that share the work, which changes no bit of it.</param>
/// <param name="share">The rows whose pairs are looked at here.</param>
internal sealed class SemiDualNewton(Geometry geometry, int threads, IRowShare share)
{
    /// <summary>Longest first step, in units of ε; steps grow fourfold and shrink to a quarter.</summary>
    const double FirstRadius = 2;

    const double LongestRadius = 1e12;

    /// <summary>Sparse multiply-adds in whose time an entry finds its place in the order.</summary>
    const double AnalysisWork = 100;

    readonly double[] _direction = new double[geometry.Columns];
    readonly ThinLaplacian _matrix = new(geometry.Rows, geometry.Columns, threads);
    readonly double[] _from = new double[geometry.Columns];
    double _radius = FirstRadius;
    double _share;

    /// <summary>The point a direction is wanted at.</summary>
    /// <param name="F">Soft-minima of the rows at g: they make each row of q sum to 1.</param>
    /// <param name="G">g.</param>
    /// <param name="B">Target weights; columns without weight have no part in the system.</param>
    /// <param name="RowMass">r; rows without mass have no part: a, or <c>a exp(−f/ρ_a)</c> where a is penalised.</param>
    /// <param name="ColumnMass">c.</param>
    /// <param name="Wanted">b̂: b, or <c>b exp(−g/ρ_b)</c> where b is penalised.</param>
    /// <param name="Epsilon">ε.</param>
    /// <param name="TauA">τ_a; 1 for a hard marginal.</param>
    /// <param name="RhoB">ρ_b; +∞ for a hard marginal.</param>
    public sealed record Point(
        double[] F,
        double[] G,
        double[] B,
        double[] RowMass,
        double[] ColumnMass,
        double[] Wanted,
        double Epsilon,
        double TauA,
        double RhoB
    );

    /// <summary>The direction d at the columns of positive weight; 0 at the others.</summary>
    public ReadOnlySpan<double> Direction => _direction;

    /// <summary>Entries of the thin plan.</summary>
    public int Entries => _matrix.Entries;

    /// <summary>Forgets how long steps may be.</summary>
    public void Reset() => _radius = FirstRadius;

    /// <summary>Looks at the plan of a point.</summary>
    /// <param name="point">The point.</param>
    /// <param name="threshold">θ of <see cref="ThinPlan"/>; 0 keeps everything.</param>
    /// <param name="bytes">Memory that may be taken.</param>
    /// <param name="budget">What <see cref="Compute"/> may take; no factor is prepared for more.</param>
    /// <param name="cancellation">Watched.</param>
    /// <returns>What it would take, in sparse multiply-adds of about a nanosecond; infinite when it does not fit.</returns>
    public double Look(Point point, double threshold, long bytes, double budget, CancellationToken cancellation)
    {
        int n = geometry.Rows,
            m = geometry.Columns;
        // An entry takes its place in the plan twice, in the factor, and in what lists waste. A factor takes no less time for it than a full row's share.
        double few = ThinLaplacian.SparseEntries * (double)(n + m),
            worthwhile = Math.Max(few, budget / (ThinLaplacian.DenseShare * 0.5 * m));
        long most = (long)Math.Min(bytes / 256, worthwhile);
        double about = ThinPlan.Estimate(geometry, point.F, point.G, point.RowMass, point.B, point.Epsilon, threshold, share);
        double rowsFirst = ThinLaplacian.RowsFirst(n, m, about / n);
        // Where a few rows show that it cannot pay, or not fit, the others are not looked at.
        if (about > 2 * few && rowsFirst > 2 * budget)
            return rowsFirst;
        if (about > 2 * (double)most)
            return most < worthwhile ? double.PositiveInfinity : Math.Max(rowsFirst, 2 * budget);
        ThinPlan? thin = ThinPlan.Of(
            geometry,
            point.F,
            point.G,
            point.RowMass,
            point.B,
            point.Epsilon,
            threshold,
            absolute: false,
            most,
            threads,
            share,
            cancellation
        );
        if (thin is null)
            return most < worthwhile ? double.PositiveInfinity : Math.Max(rowsFirst, 2 * budget);
        // Finding an order takes longer than a factor of the same entries.
        double least = thin.Values.Length <= few ? AnalysisWork * thin.Values.Length : _matrix.RowsFirst(thin);
        if (least > budget)
            return least;
        _matrix.Load(thin, point.RowMass, point.ColumnMass);
        return _matrix.Prepare(thin, bytes);
    }

    /// <summary>Computes the direction at the point just looked at.</summary>
    /// <param name="point">The point.</param>
    /// <param name="damping">Share of c added to every loss.</param>
    /// <param name="cancellation">Watched.</param>
    /// <returns>Whether there is a finite direction; false when cancelled, too.</returns>
    public bool Compute(Point point, double damping, CancellationToken cancellation)
    {
        int n = geometry.Rows;
        double[] losses = new double[_matrix.Count],
            right = new double[_matrix.Count];
        for (int i = 0; i < n; i++)
            losses[i] = point.RowMass[i] * ((1 / point.TauA) - 1);
        for (int j = 0; j < _direction.Length; j++)
        {
            double c = point.ColumnMass[j];
            losses[n + j] = (damping * c) + (point.Epsilon * point.Wanted[j] / point.RhoB);
            right[n + j] = point.B[j] > 0 ? point.Epsilon * (point.Wanted[j] - c) : 0;
        }
        Array.Clear(_direction);
        if (!_matrix.Factor(losses, cancellation))
            return false;
        var solution = new double[_matrix.Count];
        _matrix.Solve(right, solution);
        for (int j = 0; j < _direction.Length; j++)
            _direction[j] = point.B[j] > 0 ? solution[n + j] : 0;
        return double.IsFinite(TensorPrimitives.Sum<double>(_direction));
    }

    /// <summary>A step from the point along its direction, no longer than the radius, which grows: the last step was a good one.</summary>
    public void Step(Point point, Span<double> next)
    {
        point.G.CopyTo(_from.AsSpan());
        _radius = Math.Min(4 * _radius, LongestRadius);
        _share = Math.Min(1, _radius * point.Epsilon / Length);
        TensorPrimitives.MultiplyAdd(_direction, _share, _from, next);
    }

    /// <summary>A quarter of the last step, which did harm.</summary>
    public void Shorten(double epsilon, Span<double> next)
    {
        _share /= 4;
        _radius = _share * Length / epsilon;
        TensorPrimitives.MultiplyAdd(_direction, _share, _from, next);
    }

    double Length => Math.Abs(TensorPrimitives.MaxMagnitude<double>(_direction));
}
